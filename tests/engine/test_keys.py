"""Do keys that differ stay different in a narrow column?"""

from itertools import combinations

from workflows.engine.keys import key_text

KEYS = [
    "a",
    "a\0",
    "a\ufffd",
    "a\0\0",
    "\0a",
    "a" * 200,
    "a" * 201,
    "a" * 200 + "\0",
    1,
    "1 ",
    None,
]


def test_keys_that_differ_stay_different_and_fit() -> None:
    texts = [key_text(key) for key in KEYS]
    assert all(one != other for one, other in combinations(texts, 2))
    assert all(len(text) <= 200 and "\0" not in text for text in texts)


def test_an_ordinary_key_reads_as_it_is() -> None:
    assert [key_text(key) for key in ("order 7", 7, True, ["a", 1])] == [
        "order 7",
        "7",
        "true",
        '["a",1]',
    ]
