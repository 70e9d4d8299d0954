"""Generated texts: what YAML takes for something else, what it folds, strips or escapes, and anything."""

from __future__ import annotations

from hypothesis import strategies as st

_characters = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
texts = st.one_of(
    st.text(_characters, max_size=40),
    st.sampled_from(["", "no", "null", "~", "1", "0x1f", "1e3", "- a", "a: b", "# c", "&a", "*a", "!t", "'", '"', "%"]),
    st.sampled_from(
        ["line\nline", "line\n", "\n", " lead\n x", "tail \nx", "a\r\nb", "\x85", "\u2028", "\ufeff", "\t"]
    ),
    st.sampled_from(
        ["2024-01-01", "12:30:45", "<<", "=", "...", "---", "---\n...", "😀\n€", ".inf", "true\n", "|", ">"]
    ),
)
