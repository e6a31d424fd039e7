"""Names in the chat: what nobody can be called, and which two names are one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from examples.chat import make_scripts
from examples.chat.names import check_name, fold_name, script_of
from examples.chat.rules import Refused


@pytest.mark.parametrize(
    "name",
    [
        "ana",
        "ＡＮＡ",
        " Ana ",
        "A\u034fna",
        "Ana\ufe0f",
        "Ana\U000e0100",
        "Ana\u180b",
        "Ana\u17b4",
        "A\u200dna",
        "Ana\u202e",
        "ana\u200c",
        "A\u00adna",
        "Ana\u3164",
        "Ana\u2800",
        "\u2800Ana",
        "Ana\uffa0",
        "Ana\U000e0041",
        "Ana\u2065",
        "𝐀𝐧𝐚",
        "Ⓐⓝⓐ",
    ],
    ids=ascii,
)
def test_a_name_that_looks_like_ana_s_is_ana_s(name: str) -> None:
    assert fold_name(check_name(name)) == fold_name("Ana")


@pytest.mark.parametrize(
    "name",
    ["", " ", "\u3164", "\u2800", "\u2800\u3164 \u2800", "\ufe0f", "\u200d\u202e\0", "\u115f\u1160", "\U000e0100"],
    ids=ascii,
)
def test_a_name_that_cannot_be_seen_is_none(name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_name(name)
    assert refused.value.code == "name-empty"


@pytest.mark.parametrize(
    "name",
    ["\u0410na", "An\u0430", "Αna", "Bοt", "Ana Ана", "Ana\u0951 क", "ᎪnᎪ", "田中 Ana", "ааաа", "Ana\u0c3f"],
    ids=ascii,
)
def test_a_name_of_two_scripts_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_name(name)
    assert refused.value.code == "name-mixed"


@pytest.mark.parametrize(
    "name",
    [
        "Ana María Ruiz-Ñandú",
        "Жанна Д'Арк",
        "Ελένη",
        "דנה לוי",
        "أحمد محمّد",
        "می‌خواهم",
        "山田 はなこ ハナコ",
        "ハンー",
        "金 민수",
        "ㄅㄆ 漢字",
        "प्रिया नायर",
        "สมชาย",
        "Łukasz O'Neil 3rd (away)",
        "ana_99 ✨",
        "👩‍👩‍👧‍👦",
        "❤️ Ben",
        "é́",
        "Zoë\u0308",
        "<b>Ana</b>",
    ],
)
def test_the_names_of_people_are_shown_as_they_are(name: str) -> None:
    assert check_name(name) == unicodedata.normalize("NFC", name)


def test_a_whole_name_that_looks_like_one_of_another_script_is_that_one() -> None:
    assert fold_name("АНА") == fold_name("AHA")
    assert fold_name("Сосо") == fold_name("Coco")
    with pytest.raises(Refused) as refused:
        check_name("Вот")
    assert refused.value.code == "name-taken"


@pytest.mark.parametrize(
    ("sign", "script"),
    [("a", "Latin"), ("я", "Cyrillic"), ("漢", "Han"), ("ー", "Katakana"), ("1", None), ("\u0301", None), ("€", None)],
)
def test_a_sign_s_script_is_known(sign: str, script: str | None) -> None:
    assert script_of(sign) == script


def test_the_table_of_scripts_is_what_debian_s_unicode_data_says() -> None:
    table = make_scripts.MODULE.read_text(encoding="utf-8")
    made = make_scripts.source(Path("/usr/share/unicode"))
    if table.splitlines()[2] != made.splitlines()[2]:
        pytest.skip("the Unicode of this machine is another version than the table's")
    assert table == made
