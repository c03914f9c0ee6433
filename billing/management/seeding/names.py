"""Invented people and firms from many scripts, as a desk with customers everywhere meets them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

LATIN = (
    "Ada Anna Ben Carla Daniel Elena Farah Grace Hugo Ines Jonas Karin Liam Maya Noor Olga Paul Rosa Sofia "
    "Tom Uma Victor Wendy Xavier Yara Łukasz Søren Zoë José Renée Jürgen Siân Chloë Dvořák"
)
LATIN_FAMILY = (
    "Adams Baker Costa Dubois Eriksen Ferrari García Hansen Ivanova Jensen Kowalski López Müller Nguyễn "
    "O'Brien Petrov Quist Rossi Schmidt Taylor Ünal van-Dijk Williams Xu Yılmaz Ziegler Öztürk Ångström Łoś"
)
OTHERS = (
    ("Ελένη Γιώργος Μαρία Νίκος", "Παπαδοπούλου Νικολάου Δημητρίου"),
    ("Анна Иван Ольга Дмитрий", "Соколова Кузнецов Мороз Шевченко"),
    ("ليلى محمد فاطمة يوسف", "العلي حداد المنصوري"),
    ("נועה דוד מיכל יוסף", "כהן לוי מזרחי"),
    ("आरव प्रिया राहुल अनन्या", "शर्मा पटेल सिंह"),
    ("สมชาย มาลี นภา", "สุขใจ ทองดี วงศ์สวัสดิ์"),
)
FAMILY_FIRST = (
    ("陈 李 王 张 刘", "伟 芳 秀英 小明 丽娜", ""),
    ("山田 佐藤 鈴木 高橋", "太郎 花子 翔太 美咲", " "),
    ("김 이 박 최", "민준 서연 지훈 하은", ""),
)
FIRMS = (
    "{} & Sons", "{} Trading", "Café {}", "{} GmbH", "{} Ltd", "{} K.K.", "Studio {} 🎨", "{} Bakery 🥐",
    "{} 🚲 Cycles", "The {} Institute for Applied Horticulture and Greenhouse Technology",
)  # fmt: skip
PLACES = (
    ("US", "Portland", "97204", "USD"),
    ("US", "Austin", "78701", "USD"),
    ("US", "Chicago", "60601", "USD"),
    ("CA", "Toronto", "M5H 2N2", "USD"),
    ("GB", "Leeds", "LS1 4AP", "GBP"),
    ("DE", "München", "80331", "EUR"),
    ("FR", "Besançon", "25000", "EUR"),
    ("PL", "Łódź", "90-001", "EUR"),
    ("JP", "東京", "100-0001", "JPY"),
    ("KW", "Kuwait City", "13001", "KWD"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """``currency``: what they are usually billed in."""

    name: str
    company: str
    country: str
    city: str
    postal_code: str
    currency: str


def invent(random: Random) -> Person:
    company = random.choice(FIRMS).format(_pick(random, LATIN_FAMILY)) if random.random() < 0.3 else ""
    country, city, postal_code, currency = random.choice(PLACES)
    return Person(_name(random), company, country, city, postal_code, currency)


def _name(random: Random) -> str:
    kind = random.random()
    if kind < 0.72:
        name = f"{_pick(random, LATIN)} {_pick(random, LATIN_FAMILY)}"
    elif kind < 0.88:
        given, family = random.choice(OTHERS)
        name = f"{_pick(random, given)} {_pick(random, family)}"
    else:
        first, second, between = random.choice(FAMILY_FIRST)
        name = f"{_pick(random, first)}{between}{_pick(random, second)}"
    return f"{name} {random.choice('🌻🚀🐝🎷')}" if random.random() < 0.01 else name


def _pick(random: Random, words: str) -> str:
    return random.choice(words.split())
