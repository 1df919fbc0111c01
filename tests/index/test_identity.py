"""Names of documents, chunks and embeddings."""

from hypothesis import given
from hypothesis import strategies as st

from index.identity import chunk_ids, document_id, embedding_key, fold, hash_text

TEXTS = st.lists(st.text(alphabet="ab \n", max_size=6), max_size=8)


@given(TEXTS)
def test_no_two_chunks_of_a_document_share_an_id(texts):
    ids = chunk_ids("d", "g", texts)
    assert len(set(ids)) == len(texts)


@given(TEXTS, st.text(alphabet="cd", min_size=1), st.integers(0, 8))
def test_text_that_changes_elsewhere_leaves_an_id_alone(texts, inserted, position):
    before = chunk_ids("d", "g", texts)
    after = chunk_ids("d", "g", [*texts[:position], inserted, *texts[position:]])
    assert set(before) < set(after)


@given(st.text(alphabet="ab \n\t"))
def test_white_space_changes_no_hash(text):
    assert hash_text(text) == hash_text(f"  {text.replace(' ', chr(10) + '  ')} ")


def test_equal_texts_of_two_documents_have_two_ids_and_one_embedding():
    assert chunk_ids("d1", "g", ["same"]) != chunk_ids("d2", "g", ["same"])
    assert embedding_key("m", "r", "same ") == embedding_key("m", "r", "same")


def test_model_and_revision_tell_embeddings_apart():
    keys = {embedding_key(m, r, "x") for m in "ab" for r in "cd"}
    assert len(keys) == 4


def test_parts_of_a_name_do_not_run_into_each_other():
    assert document_id("a", "b/c") != document_id("a/b", "c")
    assert document_id('a","b', "c") != document_id("a", 'b","c')


def test_a_name_that_is_no_utf8_has_an_id():
    assert document_id("s", b"caf\xe9".decode("utf-8", "surrogateescape"))


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)
