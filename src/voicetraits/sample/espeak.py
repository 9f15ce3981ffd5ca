"""Speech and phones from text: espeak-ng as a library, without any system package.

`espeakng-loader` ships the library and its data; thirty lines of ctypes are all that it takes.
Reference: espeak-ng's `speak_lib.h` and `docs/voices.md`.
"""

from __future__ import annotations

import _ctypes
import ctypes
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import espeakng_loader
import numpy as np

from voicetraits.errors import InputError

SAMPLE_RATE = 22050  # Hz, of every voice of espeak-ng

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback before Synth returns
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report errors, do not end the process
_UTF8 = 1  # espeakCHARS_UTF8
_BETWEEN = "_"
_IPA = ord(_BETWEEN) << 8 | 2  # phonemes_mode: IPA, with this character between phones
_OTHER_LANGUAGE = re.compile(r"\([a-z0-9-]+\)")  # (en) before a word that it reads as English
_NO_PHONE = re.compile("[ˈˌːˑ.‿͡ʲ-]")  # stress, length, ties and softness
_LONGEST_PATH = 159  # bytes; espeak-ng copies the path of its data into a buffer of 160

# Of locales whose name is not that of their language there.
_LANGUAGES = {"zh-CN": "cmn", "zh-TW": "cmn", "zh-HK": "yue", "kmr": "ku"}
_COMMON_FILES = ("phondata", "phonindex", "phontab", "intonations")
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class EspeakError(InputError):
    """espeak-ng could not be started, or does not know a voice."""


def language_of(locale: str) -> str:
    """The language of espeak-ng that a locale of Common Voice is in; "" if none is taken.

    Of `sv-SE`, that is `sv`.
    """
    known = Path(espeakng_loader.get_data_path())
    for language in (_LANGUAGES.get(locale, locale), locale.split("-")[0]):
        if (known / f"{language}_dict").is_file() and _voices(known, language):
            return language
    return ""


def prepare_data(folder: Path, *, language: str, variants: Mapping[str, str]) -> None:
    """Copy espeak-ng's data of one language, and add voice variants of our own.

    A short path and few files: espeak-ng cannot open its data at a long path, and it walks
    through all languages in search of a voice.

    Args:
        folder: An empty folder; its path may have at most 159 bytes.
        language: Of the voices, for example `es`; `es-419` comes with it.
        variants: Text of a variant file by name; the voice `es+name` then speaks with it.

    Raises:
        EspeakError: If the path is too long, or espeak-ng has no such language.
    """
    if len(bytes(folder)) > _LONGEST_PATH:
        raise EspeakError(
            f"{folder}: too long for espeak-ng (at most {_LONGEST_PATH} bytes); "
            "set TMPDIR to a folder with a shorter path"
        )
    source = Path(espeakng_loader.get_data_path())
    voices = _voices(source, language)
    if not voices:
        raise EspeakError(f"espeak-ng has no language {language!r}")
    # Every language reads its English words with the English voice.
    languages = {"en", language}
    voices += source.glob("lang/*/en")
    files = {name: source / name for name in (*_COMMON_FILES, *(f"{n}_dict" for n in languages))}
    # Side by side under the names that they are asked for, where espeak-ng looks before it reads
    # all voices to find one.
    files |= {f"lang/{path.name.lower()}": path for path in voices}
    (folder / "lang").mkdir()
    for name, path in files.items():
        shutil.copyfile(path, folder / name)
    own = folder / "voices" / "!v"
    own.mkdir(parents=True)
    for name, text in variants.items():
        (own / name).write_text(text, encoding="utf-8")


def _voices(source: Path, language: str) -> list[Path]:
    return [*source.glob(f"lang/**/{language}"), *source.glob(f"lang/**/{language}-*")]


def phones(texts: Sequence[str], *, voice: str, data: Path) -> list[list[str]]:
    """What speakers of a language say where they read texts aloud, as espeak-ng has it.

    Args:
        texts: Of the voice's language.
        voice: Name of a voice.
        data: Folder that `prepare_data` filled.

    Returns:
        The phones of each text in IPA, without stress, length and pauses.

    Raises:
        EspeakError: If espeak-ng does not start, or does not know the voice.
    """
    with _speaking(voice, data) as library:
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        return [_phones_of(library, text) for text in texts]


def _phones_of(library: ctypes.CDLL, text: str) -> list[str]:
    # Each call moves the pointer on by a clause; it is null behind the last.
    rest = ctypes.c_char_p(text.encode())
    clauses = []
    while rest:
        clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA) or b"")
    written = _OTHER_LANGUAGE.sub(_BETWEEN, b" ".join(clauses).decode())
    found = (_NO_PHONE.sub("", each) for each in re.split(rf"[{_BETWEEN}\s]+", written))
    return [each for each in found if each]


def synthesise(text: str, *, voice: str, data: Path) -> np.ndarray:
    """Speak one text.

    The result depends on the arguments alone. espeak-ng keeps state from one text to the next
    (the same text twice differs), so the library is loaded afresh for each, which costs a
    millisecond or two.

    Args:
        text: Any text of the voice's language.
        voice: Name of a voice, `es` or `es+variant`.
        data: Folder that `prepare_data` filled.

    Returns:
        Mono PCM at SAMPLE_RATE, shape (samples,), int16.

    Raises:
        EspeakError: If espeak-ng does not start, or does not know the voice.
    """
    chunks: list[bytes] = []

    @_CALLBACK
    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    with _speaking(voice, data) as library:
        # Breath draws from a generator that starting espeak-ng has seeded with the time.
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        library.espeak_SetSynthCallback(collect)
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, 0, 0, _UTF8, None, None)
    return np.frombuffer(b"".join(chunks), dtype=np.int16)


@contextmanager
def _speaking(voice: str, data: Path) -> Iterator[ctypes.CDLL]:
    """The library, loaded afresh and started with a voice."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, bytes(data), _DONT_EXIT)
        if rate != SAMPLE_RATE:
            raise EspeakError(f"{data}: espeak-ng did not start (answer {rate})")
        try:
            if library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise EspeakError(f"espeak-ng has no voice {voice!r}")
            yield library
        finally:
            library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
