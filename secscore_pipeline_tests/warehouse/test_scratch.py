"""The private folders beside a file: each is its owner's for as long as the block lasts, however many are made."""

from concurrent.futures import ThreadPoolExecutor

from secscore_pipeline.system.scratch import scratch_folder

AT_ONCE = 8
TIMES = 150


def test_no_folder_is_taken_for_one_that_was_left_while_it_is_made(tmp_path):
    beside = tmp_path / "store.duckdb"

    def make(number):
        for _ in range(TIMES):
            with scratch_folder(beside) as folder:
                (folder / f"{number}").touch()
                assert [file.name for file in folder.iterdir()] == [f"{number}"]
            assert not folder.exists()

    with ThreadPoolExecutor(AT_ONCE) as executor:
        list(executor.map(make, range(AT_ONCE)))
    assert list(tmp_path.iterdir()) == []
