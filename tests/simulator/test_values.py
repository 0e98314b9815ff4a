"""What a prompt names as values, and who gets it."""

import pytest

from claude_nb.simulator.values import Values


def anything(_):
    return True


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("call it \"two words\" or “curly” or `code` or 'single'", "two words|curly|code|single"),
        ("It's mine, don't you think? That's the dogs' bone", ""),
        ("Look at report.csv and src/main.py, e.g. in v1.5.", "report.csv|src/main.py"),
        ("Ask Ana Silva. Then go to New York", "Ana Silva|New York"),
        (
            "See https://example.org/a?b=1, and mail a.b@example.org.",
            "https://example.org/a?b=1|a.b@example.org",
        ),
    ],
)
def test_texts_are_found(prompt, texts):
    """Quoted texts, files, names inside a sentence, addresses; apostrophes quote nothing."""
    values = Values(prompt)
    found = iter(lambda: values.text("x", anything), None)

    assert "|".join(found) == texts


@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", ["x", "a/", "9", "A b ", "'", '"', "x=", "a.b@", "a+"])
def test_a_prompt_of_half_a_megabyte_is_read_at_once(unit):
    """No text is so made that it takes much longer than others of its length."""
    prompt = unit * (500_000 // len(unit))

    assert Values(prompt, parameters=["x", "text"]).number("x", lambda _: False) is None


def test_numbers_are_found():
    """Whole ones and others, with a sign and with commas; not those inside words and dates."""
    values = Values("1 or -2.5 of 1,000 in room B7 on 2026-01-02 at v3.4")
    found = iter(lambda: values.number("x", anything), None)

    assert list(found) == [1, -2.5, 1000]


@pytest.mark.parametrize(
    ("prompt", "member"),
    [
        ("in Celsius, not kelvin", "celsius"),
        ("in degrees", None),
        ("unit=kelvin", "kelvin"),
        ("a letter", None),
        ('the letter "a"', "a"),
    ],
)
def test_members_are_found(prompt, member):
    """A member of an enum is a word of the prompt; a single letter must be quoted."""
    assert Values(prompt).member("unit", ["celsius", "kelvin", "a"]) == member


def test_each_member_is_used_once():
    """Two parameters get two colours, and a text that was quoted for one is not used again."""
    values = Values('one "red", one blue, and "two words"')

    assert [values.member("colour", ["blue", "red"]) for _ in range(3)] == ["red", "blue", None]
    assert values.text("x", anything) == "two words"


def test_each_value_is_used_once_until_a_new_call_finds_all_used():
    """Two calls share two towns; a third begins again."""
    values = Values("Compare it for Graz and Linz")
    towns = []
    for _ in range(3):
        values.begin()
        towns.append(values.text("town", anything))

    assert towns == ["Graz", "Linz", "Graz"]


def test_what_is_said_of_one_parameter_is_not_given_to_another():
    """Twenty sides are no days."""
    values = Values("Roll with 20 sides", parameters=["days", "sides"])

    assert values.number("days", anything) is None
    assert values.number("sides", anything) == 20


def test_texts_of_one_parameter_are_not_given_to_another():
    """A guest is no town, and may be the guest."""
    values = Values("Book it, guest=“Ana”", parameters=["town", "guest"])

    assert values.text("town", anything) is None
    assert values.text("guest", anything) == "Ana"


def test_names_of_tools_are_no_values():
    """However they are written."""
    assert Values("Use `Look_Up` for it", besides=["look_up"]).text("x", anything) is None


def test_a_parameter_is_given_what_it_is_called_after():
    """A parameter for an address gets an address, even behind a quoted text."""
    prompt = 'Send "this" to a@example.org from https://example.org on 2026-01-02'
    parameters = ["mail_to", "url", "start_date", "body"]
    values = Values(prompt)

    assert [values.text(name, anything) for name in parameters] == [
        "a@example.org",
        "https://example.org",
        "2026-01-02",
        "this",
    ]
