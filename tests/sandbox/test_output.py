"""Attacks on whoever reads what a script left: something else stands in the file's place, or the file is no output."""

from __future__ import annotations

import pytest

from executor.script_output import OUTPUT_BYTES, OUTPUT_DEPTH
from tests.sandbox.aftermath import assert_as_new
from tests.sandbox.attack import BASH, JAVASCRIPT, PYTHON, Attack, each
from tests.sandbox.conftest import Range
from tests.sandbox.outside import CANARY
from tests.sandbox.starts import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_REGULAR = "it is not a regular file"
A_LINK = "it cannot be read: Too many levels of symbolic links"

NO_FILES = (
    (Attack("a link to a file everybody may read", BASH, "ln -s $PARAM_CANARY $ONCALL_OUTPUT"), A_LINK),
    (
        Attack("a link to its inputs", JAVASCRIPT, "fs.symlinkSync(HOST.ONCALL_PARAMETERS, HOST.ONCALL_OUTPUT);"),
        A_LINK,
    ),
    (
        Attack("a link to the reader's memory", PYTHON, "os.symlink('/proc/self/environ', HOST['ONCALL_OUTPUT'])"),
        A_LINK,
    ),
    (Attack("a link to itself", BASH, "ln -s $ONCALL_OUTPUT $ONCALL_OUTPUT"), A_LINK),
    (Attack("a link to a device that never ends", BASH, "ln -s /dev/zero $ONCALL_OUTPUT"), A_LINK),
    (Attack("a pipe that nobody writes to", BASH, "mkfifo $ONCALL_OUTPUT"), NOT_REGULAR),
    (
        Attack(
            "a pipe with a writer",
            PYTHON,
            """
            os.mkfifo(HOST["ONCALL_OUTPUT"])
            if os.fork() == 0:
                with open(HOST["ONCALL_OUTPUT"], "w") as pipe: pipe.write('{"a": 1}')
                os._exit(0)
            """,
        ),
        NOT_REGULAR,
    ),
    (Attack("a folder", BASH, "mkdir -p $ONCALL_OUTPUT/deeper"), NOT_REGULAR),
    (
        Attack(
            "a socket",
            PYTHON,
            "import socket; s = socket.socket(socket.AF_UNIX); s.bind(HOST['ONCALL_OUTPUT']); s.listen()",
        ),
        "it cannot be read: No such device or address",
    ),
    (
        Attack("much of nothing", BASH, "truncate -s 7M $ONCALL_OUTPUT; truncate -s 1T $ONCALL_OUTPUT && escaped"),
        f"larger than {OUTPUT_BYTES} bytes",
    ),
    (
        Attack("as much as there is room for", BASH, "yes '{' >$ONCALL_OUTPUT 2>/dev/null"),
        f"larger than {OUTPUT_BYTES} bytes",
    ),
    (
        Attack("a tower", PYTHON, "open(HOST['ONCALL_OUTPUT'], 'w').write('{\"a\":' + '[' * 60_000)"),
        f"objects and lists more than {OUTPUT_DEPTH} deep",
    ),
    (
        Attack("half a character", JAVASCRIPT, 'fs.writeFileSync(HOST.ONCALL_OUTPUT, \'{"a": "\\\\ud800"}\');'),
        "a text with half a surrogate pair",
    ),
    (
        Attack("a character that no text may have", BASH, r"""printf '{"a": "\\u0000"}' >$ONCALL_OUTPUT"""),
        "a text with a NUL character",
    ),
    (Attack("nothing at all", BASH, ": >$ONCALL_OUTPUT"), "it is empty"),
    (Attack("a file that was taken away", BASH, "echo '{}' >$ONCALL_OUTPUT; rm $ONCALL_OUTPUT"), ""),
    (
        Attack(
            "more files than anybody counts",
            PYTHON,
            """
            try:
                for n in range(50_000): os.close(os.open(f"/run/output/{n}", os.O_CREAT))
            except OSError:
                pass
            """,
        ),
        "",
    ),
)


TOLD = {attack.name: told for attack, told in NO_FILES}


@each([attack for attack, _ in NO_FILES])
async def test_what_stands_there_instead_is_not_followed_waited_for_or_kept(
    attacked: Range, attack: Attack, start: Start
) -> None:
    done = await attacked.suffer(attack, start)

    assert (done.output, done.output_error) == (None, TOLD[attack.name])
    assert CANARY.decode() not in done.output_error


OUTPUTS = (
    Attack(
        "a file put in place of the file",
        BASH,
        """
        echo 'not this' >$ONCALL_OUTPUT; echo '{"a": 1}' >/run/output/next; mv /run/output/next $ONCALL_OUTPUT
        echo '[]' >/tmp/other; ln /tmp/other /run/output/link 2>/dev/null && escaped
        """,
    ),
    Attack(
        "its folder taken away",
        BASH,
        """
        cd /run/output; rmdir /run/output && escaped; mv /run/output /tmp/x && escaped; echo '{"a": 1}' >$ONCALL_OUTPUT
        for place in /run /run/oncall; do (echo x >$place/mark) 2>/dev/null && escaped $place; done
        """,
    ),
    Attack("a full disk", BASH, "head -c 20M /dev/zero >/tmp/all; echo '{\"a\": 1}' >$ONCALL_OUTPUT || escaped full"),
    Attack(
        "a file that somebody still holds and writes to",
        PYTHON,
        """
        import fcntl
        file = os.open(HOST["ONCALL_OUTPUT"], os.O_RDWR | os.O_CREAT)
        os.write(file, b'{"a": 1}')
        fcntl.flock(file, fcntl.LOCK_EX); fcntl.lockf(file, fcntl.LOCK_EX)
        if os.fork() == 0:
            os.setsid()
            while True: os.pwrite(file, b'{"a": 1}', 0)
        """,
    ),
    Attack(
        "an output from an interpreter without a word",
        JAVASCRIPT,
        "fs.writeFileSync(HOST.ONCALL_OUTPUT, '{\"a\": 1}'); process.kill(process.pid, 'SIGKILL');",
        False,
    ),
)


@each(OUTPUTS)
async def test_what_is_an_output_is_kept_whatever_was_tried(attacked: Range, attack: Attack, start: Start) -> None:
    done = await attacked.suffer(attack, start)

    assert (done.output, done.output_error) == ({"a": 1}, "")


async def test_afterwards_the_executor_is_as_new(attacked: Range) -> None:
    await assert_as_new(attacked.platform)
