"""Functions over tables: session first, domain values out. Nothing here commits, decides or permits."""
