"""Attacks on files: of the machine, of the executor, of the sandbox itself, and of the interpreters."""

from __future__ import annotations

import pytest

from tests.sandbox.aftermath import assert_as_new
from tests.sandbox.attack import BASH, JAVASCRIPT, PYTHON, Attack, each
from tests.sandbox.conftest import Range
from tests.sandbox.starts import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTACKS = (
    Attack(
        "secrets of the machine",
        BASH,
        """
        for place in /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh /etc/hostname /etc/machine-id /root /home \\
            /var /srv /opt \\
            /mnt /media /boot /sys /run/docker.sock /var/run/docker.sock /run/systemd /run/user /lost+found; do
          [ -e $place ] && escaped $place
        done
        """,
    ),
    Attack("the machine's users", BASH, "grep -v '^runbook:' /etc/passwd /etc/group && escaped"),
    Attack("a file everybody may write", BASH, "cat $PARAM_CANARY && escaped; (echo x >$PARAM_CANARY) && escaped"),
    Attack(
        "symbolic links out",
        BASH,
        """
        ln -s $PARAM_CANARY a; cat a && escaped; (echo x >a) && escaped
        ln -s / b; ls b/root b/home 2>/dev/null && escaped
        ln -s /proc/1/root c; cat c$PARAM_CANARY && escaped
        mkdir d && ln -s ../../../../../../.. d/up && [ -e d/up$PARAM_CANARY ] && escaped
        """,
    ),
    Attack(
        "links in place of what the executor reads",
        BASH,
        "cd /; rmdir /sandbox/work && ln -s $PARAM_CANARY /sandbox/work; rm -rf /sandbox/tmp; ln -s / /sandbox/tmp",
    ),
    Attack(
        "hard links",
        BASH,
        """
        for target in /etc/passwd /usr/bin/su /run/oncall/parameters.json /proc/1/environ $PARAM_CANARY; do
          ln $target /tmp/link 2>/dev/null && escaped $target
        done
        """,
    ),
    Attack(
        "writing to the system",
        PYTHON,
        """
        for folder in ("/", "/usr", "/usr/bin", "/usr/lib", "/etc", "/etc/ssl/certs", "/dev", "/run",
            "/run/oncall", "/proc",
                       "/run/oncall/secrets"):
            try:
                open(folder + "/mark", "w"); escaped(folder)
            except OSError:
                pass
        for file in ("/usr/bin/bash", "/etc/passwd", "/etc/ld.so.cache", "/run/oncall/script.py"):
            for change in (lambda: open(file, "a"), lambda: os.chmod(file, 0o777), lambda: os.unlink(file),
                           lambda: os.rename(file, "/tmp/x"), lambda: os.utime(file), lambda: os.truncate(file, 0)):
                try:
                    change(); escaped(file)
                except OSError:
                    pass
        """,
    ),
    Attack("deleting everything", BASH, "rm -rf --no-preserve-root / 2>/dev/null; rm -rf /sandbox/* /tmp/* ~/.[!.]*"),
    Attack("deleting its own script", JAVASCRIPT, "try { fs.unlinkSync(__filename); escaped(); } catch {}"),
    Attack(
        "inputs of others",
        BASH,
        """
        others=$(find / -xdev -path '*oncall*' -newermt 2000-01-01 2>/dev/null | grep -v -e '^/usr' -e '^/run/oncall')
        [ -z "$others" ] || escaped $others
        """,
    ),
    Attack(
        "leaving marks for the next",
        BASH,
        """
        for file in ~/.bashrc ~/.bash_profile ~/.profile ~/.npmrc ~/sitecustomize.py /tmp/mark /dev/shm/mark; do
          echo 'echo ESCAPED from the last' >$file
        done
        """,
    ),
    Attack(
        "what the last left", BASH, '[ -z "$(find ~ /tmp/ /dev/shm -type f)" ] || escaped; source ~/.bashrc 2>/dev/null'
    ),
    Attack(
        "modules from the working folder",
        PYTHON,
        """
        import subprocess
        for name in ("sitecustomize", "usercustomize", "encodings", "os"):
            open(name + ".py", "w").write("print('ESCAPED by', __name__)")
        subprocess.run([sys.executable, "-I", "-c", "import os"], check=True)
        if any(p in ("", "/sandbox/work", "/tmp") for p in sys.path): escaped("the path", sys.path)
        """,
    ),
    Attack(
        "options of the interpreter",
        JAVASCRIPT,
        """
        for (const name of ['NODE_OPTIONS', 'NODE_PATH', 'PYTHONPATH', 'PYTHONSTARTUP', 'BASH_ENV', 'ENV', 'LD_PRELOAD',
          'LD_LIBRARY_PATH', 'ONCALL_MASTER_KEY', 'ONCALL_DATABASE_URL', 'ONCALL_REDIS_URL', 'SSH_AUTH_SOCK'])
          if (name in HOST) escaped(name);
        fs.writeFileSync('package.json', '{"type":"module"}'); fs.writeFileSync('.noderc', 'x');
        """,
    ),
    Attack(
        "devices",
        PYTHON,
        """
        import stat
        for major, minor in ((1, 1), (8, 0), (254, 0), (1, 3), (5, 1)):
            for kind in (stat.S_IFCHR, stat.S_IFBLK):
                try:
                    os.mknod("/tmp/device", kind | 0o666, os.makedev(major, minor)); escaped(major, minor)
                except OSError:
                    pass
        for name in ("mem", "kmsg", "port", "sda", "vda", "kvm", "fuse", "net/tun", "loop-control",
            "mapper/control", "vsock"):
            if os.path.exists("/dev/" + name): escaped(name)
        """,
    ),
    Attack(
        "names of files as a weapon",
        JAVASCRIPT,
        """
        for (const name of ['-rf', '$(reboot)', '`id`', '\\n', '\\u202e', ';sh', '|x', '\\x1b[2J', 'a'.repeat(255)])
          fs.writeFileSync('/tmp/' + name, name);
        console.log('\\x1b]0;title\\x07\\x1b[2J');
        """,
    ),
)


@each(ATTACKS)
async def test_nothing_gets_out(attacked: Range, attack: Attack, start: Start) -> None:
    await attacked.suffer(attack, start)


async def test_afterwards_the_executor_is_as_new(attacked: Range) -> None:
    await assert_as_new(attacked.platform)
