"""The completion scripts, tried in bash where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from t5mix.cli.completion import SHELLS, completion_script
from t5mix.cli.main import main
from t5mix.cli.parser import build_parser
from t5mix.cli.setting_keys import GROUPS, SETTING_KEYS
from t5mix.config.config_files import named_configs
from t5mix.config.groups import groups, setting_keys

TRY = """
COMP_WORDS=("$@") COMP_CWORD=$(( $# - 1 ))
_t5mix
for reply in "${COMPREPLY[@]}"; do echo "$reply"; done
"""
"""What bash does when the tabulator key is pressed at the end of a line."""


def completed(folder: Path, *words: str) -> set[str]:
    (folder / "mine.yaml").touch()
    (folder / "my run").mkdir(exist_ok=True)
    script = completion_script(build_parser(), "bash") + TRY
    command = ["bash", "--norc", "-c", script, "bash", "t5mix", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tr"], {"train"}),
        (["m"], {"mixtures"}),
        (["--c"], {"--completion"}),
        (["--completion", ""], set(SHELLS)),
        (["train", "--"], {"--help", "--config", "--show"}),
        (["train", "--config", "demo"], {"demo", "demo_pretrain"}),
        (["train", "--config", "m"], {"mine.yaml", "my run"}),
        (["train", "--config", "=", "quickstart_"], {"quickstart_pretrain"}),
        (["train", "--config=quickstart_"], {"--config=quickstart_pretrain"}),
        (["train", "run_dir", "=", "my"], {"my run"}),
        (["train", "run_dir=my"], {"run_dir=my run"}),
        (["train", "run_dir", "=", ""], {"mine.yaml", "my run"}),
        (["train", "training.st"], {"training.steps="}),
        (["eval", "run", "training.st"], set()),
        (["train", "mixing.ta"], {"mixing.task_weights="}),
        (["train", "mixing", "=", "t"], {"temperature", "two_phase"}),
        (["train", "mixing=t"], {"mixing=temperature", "mixing=two_phase"}),
        (["policy", "lora", "finetuning.ra"], {"finetuning.rank=", "finetuning.rank_stabilized="}),
        (["sweep", "table10", "training.label"], {"training.label_smoothing="}),
        (["eval", "training.st"], set()),
        (["eval", "my"], {"my run"}),
        (["tasks", "sh"], {"show"}),
        (["tasks", "show", "demo_qa", "--sp"], {"--split"}),
        (["tasks", "demo_qa", "--sp"], {"--split"}),
        (["policy", "lora", "--config", "demo_"], {"demo_pretrain"}),
        (["delta", "mer"], {"merge"}),
        (["delta", "merge", "--ba"], {"--base"}),
        (["sweep", "table1"], {"table10", "table11", "table12"}),
        (["sweep", "table10", "--executor", "s"], {"slurm", "submitit-local"}),
        (["nothing", "--sh"], set()),
    ],
)
def test_bash_completes(words: list[str], expected: set[str], tmp_path: Path):
    assert completed(tmp_path, *words) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_every_command_and_configuration(tmp_path: Path):
    assert completed(tmp_path, "") >= set(build_parser().commands())
    assert completed(tmp_path, "train", "--config", "") == {*named_configs(), "mine.yaml", "my run"}
    for name, command in build_parser().commands().items():
        options = {option for action in command.arguments() for option in action.option_strings}
        assert completed(tmp_path, name, "--") == {option for option in options if option.startswith("--")}


def test_the_settings_are_those_of_the_schema():
    # The script's list is kept in the package: a shell that starts should not wait for the schema, which loads JAX.
    assert list(SETTING_KEYS) == setting_keys()
    assert {group: list(options) for group, options in GROUPS.items()} == groups()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--completion", shell])
    assert ended.value.code == 0
    assert capsys.readouterr().out == completion_script(build_parser(), shell)
    assert ("bashcompinit" in completion_script(build_parser(), shell)) == (shell == "zsh")


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--completion", "zhs"])
    assert ended.value.code == 2
    assert "Unknown value 'zhs'. Did you mean 'zsh'?" in capsys.readouterr().err
