"""Which language a text is in, and which of its words are words at all.

Language identification is py3langid's (BSD-3-Clause), word lists are simplemma's (MIT). Both ship their data and
send nothing.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from py3langid.langid import MODEL_FILE, LanguageIdentifier
from simplemma import is_known, lemmatize
from simplemma.strategies.dictionaries import DEFAULT_DICTIONARY_FACTORY, LOW_MEMORY_DICTIONARY_FACTORY
from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

NO_LANGUAGE = "zxx"  # ISO 639: no linguistic content
ENGLISH = "en"

# Languages a learner may answer in, by the names that teachers use. Dead, constructed and closely twinned languages
# are left out: they only attract short or misspelt answers ("osmosis" is good Latin).
NAMES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian",
    "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "ha": "Hausa", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "ht": "Haitian Creole", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian",
    "ig": "Igbo", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh",
    "km": "Khmer", "kn": "Kannada", "ko": "Korean", "ku": "Kurdish", "lo": "Lao", "lt": "Lithuanian",
    "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay",
    "mt": "Maltese", "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "om": "Oromo",
    "pa": "Punjabi", "pl": "Polish", "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "rw": "Kinyarwanda", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "so": "Somali", "sq": "Albanian",
    "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "wuu": "Chinese",
    "yo": "Yoruba", "yue": "Chinese", "zh": "Chinese", "zu": "Zulu",
}  # fmt: skip
_WORD_LISTS = {"no": "nb", "hr": "hbs", "sr": "hbs", "bs": "hbs"}  # where simplemma names a language otherwise
_SPELLING_SAMPLE = 20_000  # word forms are enough to learn which letters follow each other
_LONGEST_WORD = 50  # letters; nothing longer is in a word list, and asking takes long
# Mean log2 probability of a word's letters. Of words mashed on a keyboard, 95% lie below; of the misspelt words in
# the answers of ASAP-SAS, Beetle and SciEntsBank, 4% do.
_PLAUSIBLE = -5.5


@dataclass(frozen=True)
class LanguageGuess:
    """The likeliest language (ISO 639 code, or `NO_LANGUAGE`) and its probability, 0 to 1."""

    code: str
    probability: float

    @property
    def name(self) -> str:
        """The language as a teacher calls it."""
        return NAMES.get(self.code, "another language")


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*NAMES, NO_LANGUAGE])
    return identifier


def identify(text: str) -> LanguageGuess:
    """Guess the language of a text; keyboard mash is guessed to be `NO_LANGUAGE`.

    >>> identify("El azúcar no se fue, está en el frasco.").name
    'Spanish'
    """
    code, probability = _identifier().classify(text)
    return LanguageGuess(str(code), float(probability))


class Lexicon:
    """What counts as a word in one language, and which strings of letters could be one.

    A language without a word list (`listed` is false) knows no word and finds every word plausible.
    """

    def __init__(self, language: str) -> None:
        self.language = _WORD_LISTS.get(language, language)
        self.listed = self.language in SUPPORTED_LANGUAGES
        self._pairs: Counter[str] = Counter()
        self._triples: Counter[str] = Counter()
        if self.listed:
            self._learn_spelling()
        self.known = lru_cache(maxsize=200_000)(self._known)
        self.plausible = lru_cache(maxsize=50_000)(self._plausible)

    def lemma(self, word: str) -> str:
        """The dictionary form of a word, or the word where there is none."""
        if not self.listed or len(word) > _LONGEST_WORD:
            return word
        return lemmatize(word, lang=self.language, low_memory=self._frugal)

    @property
    def _frugal(self) -> bool:
        """English is asked for most and its list is small; the lists of some languages take 600 MB in fast form."""
        return self.language != ENGLISH

    def _learn_spelling(self) -> None:
        lists = LOW_MEMORY_DICTIONARY_FACTORY if self._frugal else DEFAULT_DICTIONARY_FACTORY
        forms = lists.get_dictionary(self.language)
        for form in islice(forms, 0, None, len(forms) // _SPELLING_SAMPLE + 1):
            if form.isalpha():
                marked = f"^^{form.casefold()}$"
                for start in range(len(marked) - 2):
                    self._pairs[marked[start : start + 2]] += 1
                    self._triples[marked[start : start + 3]] += 1

    def _known(self, word: str) -> bool:
        """Whether a folded word is in the list, also without its apostrophe ("dont") or its "'s"."""
        if not self.listed or len(word) > _LONGEST_WORD:
            return False
        forms = {word, word.removesuffix("'s"), word.replace("'", "")}
        return any(is_known(form, self.language, low_memory=self._frugal) for form in forms)

    def _plausible(self, word: str) -> bool:
        """Whether letters follow each other in a folded word as they do in this language."""
        if not self.listed:
            return True
        marked = f"^^{word}$"
        total = 0.0
        for start in range(len(marked) - 2):
            seen = self._triples[marked[start : start + 3]] + 0.05
            total += math.log2(seen / (self._pairs[marked[start : start + 2]] + 1.5))
        return total / (len(word) + 1) >= _PLAUSIBLE


@lru_cache(maxsize=8)
def lexicon(language: str) -> Lexicon:
    """The lexicon of a language. Loading English takes about a second, a language of many word forms up to twenty."""
    return Lexicon(language)


def share(words: Sequence[str], among: Collection[str]) -> float:
    """The share of the letters of `words` that belong to words of `among`, 0 to 1; 0 without words."""
    letters = sum(map(len, words))
    return sum(len(word) for word in words if word in among) / letters if letters else 0.0


def script(text: str) -> Counter[str]:
    """How many letters of each writing system a text has, by the first word of their Unicode names.

    >>> script("Вода is wet")
    Counter({'LATIN': 5, 'CYRILLIC': 4})
    """
    return Counter(unicodedata.name(letter, "OTHER").split()[0] for letter in text if letter.isalpha())
