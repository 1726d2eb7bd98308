"""From a request to the tasks of a run. Loads TensorFlow if one of them is registered with seqio, and only then."""

import dataclasses

from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.request_checks import check_request
from t5mix.cache.run_task import RunTask
from t5mix.cache.vocabulary import common_vocabulary, vocabulary_entry
from t5mix.data.manifest import DataRequest, VocabularyEntry
from t5mix.errors import T5MixError, UnknownNameError


@dataclasses.dataclass(frozen=True)
class RunTasks:
    """The tasks of a request.

    Attributes:
        tasks: each once, with the vocabulary in force.
        vocabulary: that vocabulary.
        known: the names of all tasks that there are, also outside the request, as far as they were looked for.
    """

    tasks: tuple[RunTask, ...]
    vocabulary: VocabularyEntry
    known: frozenset[str]

    def task(self, name: str) -> RunTask:
        """Returns one of the tasks.

        Raises:
            UnknownNameError: the request does not reach it.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise UnknownNameError("task of the run", name, [task.name for task in self.tasks])


def load_tasks(request: DataRequest) -> RunTasks:
    """Finds the tasks of a request and settles their vocabulary; reads no data.

    Raises:
        T5MixError: a name, a plugin, a declaration or the vocabulary is wrong.
    """
    if not request.mixture:
        raise T5MixError("The request names no task or mixture.")
    declarations = check_request(request)
    vocabulary = vocabulary_entry(request.vocabulary, request.extra_ids) if request.vocabulary else None
    members: dict[str, list[RunTask]] = {}
    known = set(declarations)
    if request.needs_tensorflow:
        from t5mix.cache.registered_tasks import load_registered

        registered = load_registered(request.mixture, declarations, request.plugins, vocabulary)
        members |= registered.members
        known |= registered.tasks
    if vocabulary is None:
        vocabulary = common_vocabulary([task for tasks in members.values() for task in tasks])
    members |= {
        name: [DeclaredTask(name, declarations[name], vocabulary)] for name in request.mixture if name in declarations
    }
    tasks = {task.name: task for name in request.mixture for task in members[name]}
    return RunTasks(tuple(tasks.values()), common_vocabulary(list(tasks.values())), frozenset(known))
