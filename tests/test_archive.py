"""Opening a corpus: every layout is found, nothing unsafe is read, nothing broken goes unsaid."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from voicetraits.corpus.archive import ArchiveCorpus
from voicetraits.corpus.folder import NOT_THERE, FolderCorpus
from voicetraits.corpus.layout import TOO_LARGE, CorpusError
from voicetraits.corpus.open import Corpus, open_corpus

VALIDATED = b"client_id\tpath\nann\ta.mp3\nbob\tb.mp3\n"
DURATIONS = b"clip\tduration[ms]\na.mp3\t1000\n"
CORPUS = {
    "clips/b.mp3": b"sound of b",
    "clips/a.mp3": b"sound of a",
    "clip_durations.tsv": DURATIONS,
    "validated.tsv": VALIDATED,
    "train.tsv": b"another table",
}
PREFIXES = ["", "./", "es/", "cv-corpus-25.0-2026-03-09/es/", "cv-corpus-25.0-delta-2026-03-09/es/"]


def member(name: str, content: bytes = b"", **header: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in header.items():
        setattr(info, key, value)
    return info, content


def pack(
    path: Path, files: dict[str, bytes], *, prefix: str = "", extra: list | None = None
) -> Path:
    """An archive of the files, with the extra members in front; gzip by the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for info, content in extra or []:
            tar.addfile(info, io.BytesIO(content))
        for name, content in files.items():
            info, content = member(prefix + name, content)
            tar.addfile(info, io.BytesIO(content))
    return path


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read_tables(corpus: Corpus) -> dict[str, bytes]:
    with corpus.tables() as tables:
        return {name: file.read() for name, file in tables.items()}


class Everything:
    """Wants every clip, so that a test sees all that a corpus would give."""

    def __contains__(self, name: object) -> bool:
        return True


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("ending", ["tar.gz", "tar"])
def test_an_archive_is_read_whatever_folders_it_puts_in_front(tmp_path, prefix, ending):
    pack(tmp_path / f"es.{ending}", CORPUS, prefix=prefix)
    corpus = open_corpus(tmp_path, "es")
    assert read_tables(corpus) == {"validated.tsv": VALIDATED, "clip_durations.tsv": DURATIONS}
    assert list(corpus.clips({"a.mp3", "b.mp3"})) == [
        ("b.mp3", b"sound of b"),
        ("a.mp3", b"sound of a"),
    ]
    assert not corpus.skipped


@pytest.mark.parametrize("inner", ["", "es", "cv-corpus-25.0-2026-03-09/es"])
def test_a_folder_is_read_with_or_without_further_levels(tmp_path, inner):
    unpack(tmp_path / "es" / inner, CORPUS)
    corpus = open_corpus(tmp_path, "es")
    assert read_tables(corpus) == {"validated.tsv": VALIDATED, "clip_durations.tsv": DURATIONS}
    assert list(corpus.clips({"a.mp3", "b.mp3"})) == [
        ("a.mp3", b"sound of a"),
        ("b.mp3", b"sound of b"),
    ]


def test_the_version_folder_itself_is_a_corpus_path(tmp_path):
    version = tmp_path / "cv-corpus-25.0-2026-03-09"
    unpack(version / "es", CORPUS)
    unpack(version / "fr", {**CORPUS, "clips/a.mp3": b"son"})
    assert dict(open_corpus(version, "fr").clips({"a.mp3"})) == {"a.mp3": b"son"}


def test_a_gzip_archive_named_tar_is_still_read(tmp_path):
    pack(tmp_path / "es.tar.gz", CORPUS).rename(tmp_path / "es.tar")
    assert read_tables(open_corpus(tmp_path, "es"))["validated.tsv"] == VALIDATED


@pytest.mark.parametrize("kind", ["archive", "folder"])
class TestBothKinds:
    def corpus(self, tmp_path: Path, kind: str, files: dict[str, bytes]) -> Corpus:
        if kind == "archive":
            pack(tmp_path / "es.tar.gz", files, prefix="cv/es/")
        else:
            unpack(tmp_path / "es", files)
        return open_corpus(tmp_path, "es")

    def test_only_wanted_clips_come_and_missing_ones_are_no_error(self, tmp_path, kind):
        corpus = self.corpus(tmp_path, kind, CORPUS)
        assert dict(corpus.clips({"a.mp3", "gone.mp3"})) == {"a.mp3": b"sound of a"}

    def test_an_optional_table_may_be_absent(self, tmp_path, kind):
        files = {name: CORPUS[name] for name in CORPUS if name != "clip_durations.tsv"}
        assert list(read_tables(self.corpus(tmp_path, kind, files))) == ["validated.tsv"]

    def test_no_validated_table_is_an_error(self, tmp_path, kind):
        files = {
            name: CORPUS[name] for name in CORPUS if name not in ("validated.tsv", "train.tsv")
        }
        files["other.tsv"] = VALIDATED
        with pytest.raises(CorpusError, match=r"es.*holds no validated\.tsv \(it holds .*other"):
            read_tables(self.corpus(tmp_path, kind, files))

    def test_no_clips_is_an_error(self, tmp_path, kind):
        files = {name: CORPUS[name] for name in CORPUS if not name.startswith("clips/")}
        with pytest.raises(CorpusError, match="clips/"):
            read_tables(self.corpus(tmp_path, kind, files))

    def test_two_versions_in_one_place_are_an_error(self, tmp_path, kind):
        files = {f"v{n}/{name}": content for n in (1, 2) for name, content in CORPUS.items()}
        with pytest.raises(CorpusError, match=r"holds two corpora, .*v1.* and .*v2"):
            list(self.corpus(tmp_path, kind, files).clips(Everything()))

    def test_a_huge_clip_is_left_out_and_counted(self, tmp_path, kind, monkeypatch):
        monkeypatch.setattr(f"voicetraits.corpus.{kind}.LARGEST_CLIP", 100)
        corpus = self.corpus(tmp_path, kind, {**CORPUS, "clips/huge.mp3": bytes(101)})
        assert set(dict(corpus.clips(Everything()))) == {"a.mp3", "b.mp3"}
        assert corpus.skipped == {TOO_LARGE: 1}
        assert corpus.unread == {"huge.mp3": TOO_LARGE}
        list(corpus.clips({"a.mp3"}))
        assert not corpus.unread

    def test_an_error_of_the_reader_stays_its_own(self, tmp_path, kind):
        corpus = self.corpus(tmp_path, kind, CORPUS)
        with pytest.raises(OSError, match="disk of the reader"), corpus.tables():
            raise OSError("disk of the reader")


def test_unsafe_members_are_skipped_and_counted(tmp_path):
    outside = tmp_path / "outside.mp3"
    outside.write_bytes(b"secret")
    pack(
        tmp_path / "es.tar.gz",
        CORPUS,
        prefix="es/",
        extra=[
            member("../es/clips/up.mp3", b"x"),
            member("es/clips/../../clips/up.mp3", b"x"),
            member("/es/clips/absolute.mp3", b"x"),
            member("es/clips/link.mp3", type=tarfile.SYMTYPE, linkname=str(outside)),
            member("es/clips/hard.mp3", type=tarfile.LNKTYPE, linkname="es/validated.tsv"),
            member("es/clips/pipe.mp3", type=tarfile.FIFOTYPE),
            member("es/clips/device.mp3", type=tarfile.CHRTYPE),
            member("es/clips/folder.mp3", type=tarfile.DIRTYPE),
        ],
    )
    corpus = open_corpus(tmp_path, "es")
    assert set(dict(corpus.clips(Everything()))) == {"a.mp3", "b.mp3"}
    assert corpus.skipped == {"unsafe name": 3, "link or device": 4}


def test_skipped_counts_the_last_pass_alone(tmp_path):
    pack(tmp_path / "es.tar", CORPUS, extra=[member("clips/pipe.mp3", type=tarfile.FIFOTYPE)])
    corpus = open_corpus(tmp_path, "es")
    for _ in range(2):
        list(corpus.clips(Everything()))
    assert corpus.skipped == Counter({"link or device": 1})


def test_a_repeated_member_counts_once(tmp_path):
    again = [member("clips/a.mp3", b"first"), member("validated.tsv", b"first table")]
    pack(tmp_path / "es.tar.gz", CORPUS, extra=again)
    corpus = open_corpus(tmp_path, "es")
    assert dict(corpus.clips({"a.mp3"})) == {"a.mp3": b"first"}
    assert corpus.skipped == {"repeated": 1}
    assert read_tables(corpus)["validated.tsv"] == b"first table"


def test_links_of_the_user_are_followed_to_files_of_any_place(tmp_path):
    # As git-annex, datalad and DVC keep a folder: every file a link into a store.
    store = tmp_path / "store"
    store.mkdir()
    folder = unpack(tmp_path / "es", CORPUS)
    for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        path.rename(store / f"{number}")
        path.symlink_to(store / f"{number}")
    corpus = open_corpus(tmp_path, "es")
    assert read_tables(corpus) == {"validated.tsv": VALIDATED, "clip_durations.tsv": DURATIONS}
    assert dict(corpus.clips({"a.mp3"})) == {"a.mp3": b"sound of a"}


def test_the_folder_of_the_clips_may_be_a_link(tmp_path):
    folder = unpack(tmp_path / "es", CORPUS)
    (folder / "clips").rename(tmp_path / "elsewhere")
    (folder / "clips").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert dict(open_corpus(tmp_path, "es").clips({"a.mp3"})) == {"a.mp3": b"sound of a"}


def test_what_a_link_leads_to_that_is_no_file_is_left_out_and_counted(tmp_path):
    folder = unpack(tmp_path / "es", CORPUS)
    (folder / "clips/dangling.mp3").symlink_to(folder / "clips/gone.mp3")
    (folder / "clips/around.mp3").symlink_to(folder / "clips/around.mp3")
    (folder / "clips/zero.mp3").symlink_to("/dev/zero")
    (folder / "clips/endless").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "clips/pipe.mp3")
    corpus = open_corpus(tmp_path, "es")
    names = {"a.mp3", "dangling.mp3", "around.mp3", "zero.mp3", "pipe.mp3"}
    assert list(dict(corpus.clips(names))) == ["a.mp3"]
    assert corpus.skipped == {NOT_THERE: 2, "not a file": 2}
    assert corpus.unread["dangling.mp3"] == NOT_THERE
    assert corpus.unread["pipe.mp3"] == "not a file"


def test_a_table_that_is_a_link_to_nothing_says_so(tmp_path):
    folder = unpack(tmp_path / "es", CORPUS)
    (folder / "validated.tsv").unlink()
    (folder / "validated.tsv").symlink_to(tmp_path / "store/1")
    with pytest.raises(CorpusError, match=r"validated\.tsv: a link to a file that is not there"):
        open_corpus(tmp_path, "es")


def test_the_locale_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "es").symlink_to(unpack(tmp_path / "elsewhere", CORPUS), target_is_directory=True)
    assert dict(open_corpus(tmp_path, "es").clips({"a.mp3"})) == {"a.mp3": b"sound of a"}


@pytest.mark.parametrize("ending", ["tar.gz", "tar"])
def test_an_archive_cut_anywhere_is_an_error(tmp_path, ending):
    # Clips of one block and one and a half: cuts fall on block borders too, where tarfile alone
    # would take the rest for the end.
    files = {f"clips/{n}.mp3": os.urandom(512 + n % 2 * 256) for n in range(8)}
    whole = pack(tmp_path / f"whole.{ending}", {**files, "validated.tsv": VALIDATED}).read_bytes()
    # A tar file is padded with zeros; cuts in there lose nothing.
    content = len(whole.rstrip(b"\0")) if ending == "tar" else len(whole)
    cut = tmp_path / f"es.{ending}"
    for length in {*range(0, content, 256), content - 1}:
        cut.write_bytes(whole[:length])
        with pytest.raises(CorpusError, match=r"es\.tar.*broken or cut off"):
            list(open_corpus(tmp_path, "es").clips(Everything()))
        with pytest.raises(CorpusError, match=r"es\.tar.*broken or cut off"):
            read_tables(open_corpus(tmp_path, "es"))


def test_a_flipped_bit_in_a_gzip_archive_is_an_error(tmp_path):
    path = pack(tmp_path / "es.tar.gz", {**CORPUS, "clips/c.mp3": os.urandom(5000)})
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2] ^= 1
    path.write_bytes(broken)
    with pytest.raises(CorpusError, match="broken or cut off"):
        list(open_corpus(tmp_path, "es").clips(Everything()))


def test_the_checksum_at_the_very_end_of_a_gzip_archive_is_read(tmp_path):
    tar = pack(tmp_path / "fr.tar", CORPUS).read_bytes()
    broken = bytearray(gzip.compress(tar + bytes(2**19)))  # zeros may follow the end mark
    broken[-8] ^= 1  # CRC-32 and size are the last eight bytes
    (tmp_path / "es.tar.gz").write_bytes(broken)
    with pytest.raises(CorpusError, match=r"broken or cut off.*data check"):
        list(open_corpus(tmp_path, "es").clips(Everything()))


def test_a_broken_header_in_the_middle_is_an_error(tmp_path):
    path = pack(tmp_path / "es.tar", CORPUS)
    broken = bytearray(path.read_bytes())
    broken[1024:1034] = b"\xff" * 10  # the name in the second header
    path.write_bytes(broken)
    with pytest.raises(CorpusError, match="broken or cut off"):
        list(open_corpus(tmp_path, "es").clips(Everything()))


@pytest.mark.parametrize("content", [b"", b"no archive at all", gzip.compress(b"no tar")])
def test_a_file_that_is_no_archive_is_an_error(tmp_path, content):
    (tmp_path / "es.tar.gz").write_bytes(content)
    with pytest.raises(CorpusError, match=r"es\.tar\.gz: broken or cut off"):
        read_tables(open_corpus(tmp_path, "es"))


def test_an_unreadable_clip_is_one_clear_error(tmp_path, monkeypatch):
    unpack(tmp_path / "es", CORPUS)
    corpus = open_corpus(tmp_path, "es")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CorpusError, match=r"cannot be read.*Permission denied.*a\.mp3"):
        list(corpus.clips(Everything()))


class TestOpenCorpus:
    def test_a_missing_path_names_the_parameter(self, tmp_path):
        with pytest.raises(CorpusError, match=r"nowhere: does not exist; set corpus\.path"):
            open_corpus(tmp_path / "nowhere", "es")

    def test_a_path_to_the_archive_itself_asks_for_its_folder(self, tmp_path):
        path = pack(tmp_path / "es.tar.gz", CORPUS)
        with pytest.raises(CorpusError, match=r"is a file; set corpus\.path .* to the folder"):
            open_corpus(path, "es")

    def test_a_missing_locale_lists_what_is_there(self, tmp_path):
        pack(tmp_path / "cv-corpus-25.0-es.tar.gz", CORPUS)
        (tmp_path / "fr").mkdir()
        with pytest.raises(
            CorpusError, match=r"'es'; expected .*found cv-corpus-25\.0-es\.tar\.gz, fr/$"
        ):
            open_corpus(tmp_path, "es")

    def test_an_empty_folder_and_a_crowded_one_are_told_apart(self, tmp_path):
        with pytest.raises(CorpusError, match=r"found nothing$"):
            open_corpus(tmp_path, "es")
        for n in range(12):
            (tmp_path / f"f{n:02}").touch()
        with pytest.raises(CorpusError, match=r"f09 and 2 more$"):
            open_corpus(tmp_path, "es")

    def test_an_archive_beside_its_unpacked_folder_is_ambiguous(self, tmp_path):
        pack(tmp_path / "es.tar.gz", CORPUS)
        unpack(tmp_path / "es", CORPUS)
        with pytest.raises(CorpusError, match=r"holds es\.tar\.gz and es; keep one"):
            open_corpus(tmp_path, "es")

    def test_the_kind_follows_the_file(self, tmp_path):
        pack(tmp_path / "es.tar", CORPUS)
        unpack(tmp_path / "fr", CORPUS)
        assert isinstance(open_corpus(str(tmp_path), "es"), ArchiveCorpus)
        assert isinstance(open_corpus(str(tmp_path), "fr"), FolderCorpus)


def test_memory_does_not_grow_with_the_archive(tmp_path):
    def peak(count: int) -> int:
        files = {f"clips/{n}.mp3": b"x" for n in range(count)}
        pack(tmp_path / f"c{count}.tar", {**files, "validated.tsv": VALIDATED})
        corpus = open_corpus(tmp_path, f"c{count}")
        tracemalloc.start()
        try:
            list(corpus.clips(set()))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is loaded once
    # Kept headers would add 1.5 MB.
    assert peak(1500) < peak(100) + 300_000


SPLITS = {f"{name}.tsv": b"client_id\tpath\n" for name in ("train", "dev", "test")}


@pytest.mark.parametrize(
    ("front", "needed"),
    [
        (["validated.tsv"], ["validated.tsv"]),
        (["clip_durations.tsv", "validated.tsv"], ["validated.tsv"]),
        ([*SPLITS, "validated.tsv"], ["validated.tsv", *SPLITS]),
    ],
)
def test_tables_in_front_of_the_clips_are_found_without_reading_a_clip(
    tmp_path, capsys, front, needed
):
    files = {**CORPUS, **SPLITS}
    path = pack(tmp_path / "es.tar", {name: files[name] for name in front})
    header, content = member("clips/z.mp3", bytes(2**20))
    with tarfile.open(path, "a") as tar:
        place = tar.offset
        tar.addfile(header, io.BytesIO(content))
    os.truncate(path, place + tarfile.BLOCKSIZE)  # nothing of the clip, and no end mark
    with open_corpus(tmp_path, "es").tables(needed) as tables:
        assert set(tables) == set(front)
    assert capsys.readouterr().err == ""


def test_tables_behind_the_clips_are_found_and_it_is_said_once(tmp_path, capsys):
    path = pack(tmp_path / "es.tar", CORPUS)
    assert set(read_tables(open_corpus(tmp_path, "es"))) == {"validated.tsv", "clip_durations.tsv"}
    assert capsys.readouterr().err == f"{path}: the tables stand behind the clips; reading on\n"


def test_reading_on_ends_with_the_last_table(tmp_path):
    ordered = ["clips/a.mp3", "validated.tsv", "clip_durations.tsv"]
    files = {name: CORPUS[name] for name in ordered}
    path = pack(tmp_path / "es.tar", {**files, "clips/z.mp3": bytes(2**20)})
    os.truncate(path, 2**20)  # cut off far behind the tables
    assert set(read_tables(open_corpus(tmp_path, "es"))) == {"validated.tsv", "clip_durations.tsv"}


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_a_delta_release_has_no_splits_and_the_error_names_the_remedy(tmp_path, kind):
    files = {name: CORPUS[name] for name in CORPUS if name != "train.tsv"}
    if kind == "archive":
        pack(tmp_path / "es.tar.gz", files)
    else:
        unpack(tmp_path / "es", files)
    remedy = r"es.*: holds no train\.tsv, dev\.tsv, test\.tsv, .*delta .* corpus\.splits to ours"
    with (
        pytest.raises(CorpusError, match=remedy),
        open_corpus(tmp_path, "es").tables(["validated.tsv", *SPLITS]),
    ):
        pytest.fail("the tables were opened")


@pytest.mark.parametrize(
    ("kind", "lines"),
    [("archive", r"es\.tar\.gz: 0\.\d of 0\.\d MB"), ("folder", r".*clips: \d+ of 40 clips")],
)
def test_a_long_pass_says_now_and_then_how_far_it_is(tmp_path, kind, lines, capsys, monkeypatch):
    clips = {f"clips/{n:02}.mp3": os.urandom(20_000) for n in range(40)}
    if kind == "archive":
        pack(tmp_path / "es.tar.gz", {**clips, "validated.tsv": VALIDATED})
    else:
        unpack(tmp_path / "es", {**clips, "validated.tsv": VALIDATED})
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for module in ("progress", "corpus.streams"):
        monkeypatch.setattr(f"voicetraits.{module}._READ_AT_ONCE", 2**14)
    for _ in open_corpus(tmp_path, "es").clips(Everything()):
        now += 1
    shown = capsys.readouterr().err.splitlines()
    assert 3 <= len(shown) <= 4
    for line in shown:
        assert re.fullmatch(lines, line)
