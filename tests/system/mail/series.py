"""Names of series, and selectors over them as Prometheus writes them."""

import re


def labels_of(text):
    return dict(re.findall(r'(\w+)=~?"([^"]*)"', text))


def matches(selector, name):
    """Prometheus' selectors, as far as they are used here: = and =~ on whole values."""
    if selector.split("{")[0] != name.split("{")[0]:
        return False
    have = labels_of(name)
    for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
        got = have.get(label, "")
        if not (re.fullmatch(value, got) if operator == "=~" else got == value):
            return False
    return True
