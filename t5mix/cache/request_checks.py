"""What can be known of a data request without TensorFlow: checked before the process that loads it is started.

The worker checks the same, as it may be asked by others; this is the one home of these rules.
"""

from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.listing import HINT, kept_listing, may_be_out_of_date
from t5mix.cache.vocabulary import vocabulary_entry
from t5mix.data.manifest import DataRequest
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.declared import scoring_of
from t5mix.sources.declaration import TaskDeclaration, task_declaration


def check_known(request: DataRequest) -> None:
    """Checks that the names of the mixture exist, if the registered ones are known from the last time.

    Raises:
        UnknownNameError: one is neither registered nor declared.
    """
    if not request.needs_tensorflow or may_be_out_of_date():
        return
    listing = kept_listing(request.plugins)
    if listing is None:
        return
    known = {*listing.names, *request.declared}
    for name in request.mixture:
        if name not in known:
            raise UnknownNameError("task or mixture", name, known, HINT)


def check_request(request: DataRequest) -> dict[str, TaskDeclaration]:
    """Checks the vocabulary that a request sets, and its declared tasks up to the first example of each split.

    Returns:
        The declared tasks by name.

    Raises:
        T5MixError: a name or a file is missing, a declaration is impossible, one of its metrics does not exist, or
            the vocabulary does not go with it.
    """
    check_known(request)
    declarations = {name: task_declaration(name, raw) for name, raw in request.declared.items()}
    vocabulary = vocabulary_entry(request.vocabulary, request.extra_ids) if request.vocabulary else None
    if vocabulary is None and request.mixture and not request.needs_tensorflow:
        raise T5MixError(
            f"The tasks {', '.join(request.mixture)} are declared in configuration and bring no vocabulary. "
            "Set vocabulary to the path of a SentencePiece model, or to bytes."
        )
    for name, declaration in declarations.items():
        try:
            scoring_of(declaration)
            if name in request.mixture:
                declaration.check_beginning(request.checked_splits(declaration.files))
        except T5MixError as error:
            raise T5MixError(f"Declared task {name!r}: {error}") from error
        if name in request.mixture and vocabulary is not None:
            task = DeclaredTask(name, declaration, vocabulary)
            if request.targets_length:  # which the file alone does not tell, before an experiment is made of it
                task.check_lengths({"inputs": request.inputs_length, "targets": request.targets_length})
    return declarations
