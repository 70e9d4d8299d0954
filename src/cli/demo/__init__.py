"""What `oncall up --demo` fills an installation with, all of it through the same gRPC calls that everybody has."""
