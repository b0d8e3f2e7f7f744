"""Reports, scripts, shrinking, the command line and the course."""

import json
import subprocess
import sys

import numpy as np
import pytest
from kit_floor import Floor

from minigrad import cli
from minigrad.backend import Backend
from minigrad.testing import LawBroken, check_backend, check_law, command, rebuild
from minigrad.testing.course import POINTS, grade
from minigrad.testing.families import WORDS
from minigrad.testing.script import literal
from minigrad.window import Window

PADS = "minigrad.testing.mutants.pooling:PadsWithZero"
COURSE = "examples/course/my_backend.py"


def test_a_script_holds_the_smallest_case():
    report = check_backend(PADS, operations=["max_pool2d"], dtypes=["float32"])
    script = report.failures[0].script
    assert script.splitlines()[0] == "# max_pool2d breaks the law 'values': agrees with plain loops in float64."
    assert 'x=np.array([[[[-1.0]]]], "float32")' in script
    assert (
        "window=Window(kernel=(1, 2), padding=(0, 1))" in script
        or "window=Window(kernel=(2, 1), padding=(1, 0))" in script
    )
    with pytest.raises(LawBroken, match=r"it is 0\.0, not -1\.0"):
        exec(script, {})


class Verbose(Floor):
    """Raises an error of several lines."""

    def relu(self, x):
        raise RuntimeError("kernel.cu(3): error\n    int i = ;\n            ^")


def test_a_message_of_several_lines_is_a_comment():
    script = check_backend(Verbose(), operations=["relu"], dtypes=["float32"]).failures[0].script
    assert "#     int i = ;" in script
    compile(script, "script", "exec")


def test_a_script_runs_on_its_own(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(check_backend(PADS, operations=["max_pool2d"], dtypes=["float32"]).failures[0].script)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "LawBroken" in done.stderr


def test_a_script_for_arrays_that_are_too_large_to_spell_out():
    report = check_backend("minigrad.testing.mutants.windows:BatchOver65535", operations=["im2col"], dtypes=["float32"])
    script = report.failures[0].script
    assert len(script) < 2000
    with pytest.raises(LawBroken):
        exec(script, {})


def test_a_law_that_holds_says_so(capsys):
    check_law("numpy", "conv2d", "values", **rebuild("conv2d", "float64", **WORDS["conv2d"].family.least()))
    assert capsys.readouterr().out == "conv2d keeps the law 'values' on these operands\n"
    with pytest.raises(ValueError, match="conv2d owes no law 'beauty'; it owes form, values"):
        check_law("numpy", "conv2d", "beauty")


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1.5, np.inf], [np.nan, -np.inf]], np.float32),
        np.zeros((0, 3), np.float64),
        np.full((3, 4), -2.0, np.float32),
        np.arange(6).reshape(2, 3),
        [np.ones(2, np.float32), np.zeros((1, 2))],
        Window((2, 3), (1, 2), (0, 1), (1, 1), True),
        float("-inf"),
        (1, 2, 3),
        None,
        True,
    ],
)
def test_literals_are_what_they_say(value):
    back = eval(literal(value), {"np": np, "Window": Window})
    if isinstance(value, list):
        assert [a.dtype for a in back] == [a.dtype for a in value]
    elif isinstance(value, np.ndarray):
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)
    else:
        assert back == value


def test_the_table_and_the_json():
    report = check_backend(PADS, operations=["im2col", "max_pool2d"], shrink=False)
    rows = report.table().splitlines()
    assert rows[0].split() == [
        "operation",
        "dtype",
        "form",
        "valu",
        "layo",
        "inpu",
        "repe",
        "thre",
        "spec",
        "spli",
        "tran",
        "blin",
    ]
    assert next(row for row in rows if row.startswith("max_pool2d")).split()[2:4] == ["✓", "✗"]
    data = json.loads(report.to_json())
    assert data["ok"] is False
    assert data["failures"][0]["operation"] == "max_pool2d"
    states = {(cell["operation"], cell["dtype"], cell["law"]): cell["state"] for cell in data["cells"]}
    assert states["im2col", "int64", "values"] == "holds"
    assert states["max_pool2d", "float64", "values"] == "broken"
    assert "broken: max_pool2d" in str(report)


def test_every_double_letter_of_the_table_is_another_law():
    names = {law.name for word in WORDS.values() for law in word.laws}
    assert len({name[:4] for name in names}) == len(names)


# ---------------------------------------------------------------------- commands


def test_exit_status(capsys):
    assert command.main(["--backend", "numpy", "--operation", "relu"]) == 0
    assert "every law holds" in capsys.readouterr().out
    assert cli.main(["conformance", PADS, "--operation", "max_pool2d", "--dtype", "float32"]) == 1
    assert "broken: max_pool2d" in capsys.readouterr().out
    assert command.main(["--backend", "no such backend"]) == 2
    assert "unknown backend 'no such backend'" in capsys.readouterr().err
    assert command.main(["--backend", "numpy", "--operation", "convolve"]) == 2
    assert "no operation is called convolve" in capsys.readouterr().err


def test_json_from_the_command(capsys):
    assert command.main(["--backend", "numpy", "--operation", "relu", "--json", "--seed", "5"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["seed"], data["failures"]) == (True, 5, [])


def test_quick_and_thorough_exclude_one_another(capsys):
    with pytest.raises(SystemExit):
        command.main(["--backend", "numpy", "--quick", "--thorough"])
    assert "not allowed with" in capsys.readouterr().err


def test_progress_is_drawn(capsys):
    show = command.progress_bar(10)
    check_backend("numpy", operations=["relu"], progress=show)
    drawn = capsys.readouterr().err
    assert "[#####.....] 1/2" in drawn
    assert "relu float64" in drawn


def test_backends_are_listed(capsys):
    assert cli.main(["backends"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["numpy", "cpu", "available"] for line in lines)


def test_the_module_can_be_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "minigrad.testing", "--backend", "numpy", "--operation", "relu_grad"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "every law holds" in done.stdout


# ---------------------------------------------------------------------- the course


def test_an_empty_backend_has_no_points(pytestconfig, capsys):
    path = str(pytestconfig.rootpath / COURSE)
    grades = grade(path)
    assert (grades.points, grades.out_of, grades.next) == (0, 100, "im2col")
    assert {step.state for step in grades.steps} == {"not started"}
    assert cli.main(["conformance", path, "--course", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [operation["operation"] for operation in data["operations"]] == list(POINTS)
    assert data["of"] == sum(operation["of"] for operation in data["operations"]) == 100


class Student(Backend):
    """im2col is done; col2im overwrites where it should add; the rest is left to the base class."""

    name = "student"
    xp = np
    im2col = Floor.im2col
    _meetings = Floor._meetings

    def col2im(self, cols, x_shape, window):
        n, c, h, w = x_shape
        cols = cols.reshape(n, c, window.taps, *window.out_size(h, w))
        x = np.zeros(x_shape, cols.dtype)
        for tap, r, s, i, j in self._meetings(window, h, w):
            x[:, :, i, j] = cols[:, :, tap, r, s]
        return x


def test_a_half_finished_backend():
    grades = grade(Student())
    steps = {step.operation: step for step in grades.steps}
    assert (steps["im2col"].state, steps["im2col"].points) == ("done", 20)
    assert steps["col2im"].state == "begun"
    assert 0 < steps["col2im"].points < 20
    assert steps["col2im"].laws["form"]
    assert not steps["col2im"].laws["adjoint"]
    assert steps["conv2d"].state == "not started"
    assert grades.next == "col2im"
    assert "check_law(" in str(grades)


def test_one_operation_at_a_time():
    assert [step.operation for step in grade(Student(), ["im2col"]).steps] == ["im2col"]
    with pytest.raises(ValueError, match="relu is not an operation of the course"):
        grade(Student(), ["relu"])


def test_a_finished_backend_has_all_points(capsys):
    class Finished(type(load_numpy())):
        def conv2d(self, *args):
            return super().conv2d(*args)

        def conv2d_input_grad(self, *args):
            return super().conv2d_input_grad(*args)

        def conv2d_weight_grad(self, *args):
            return super().conv2d_weight_grad(*args)

        def max_pool2d(self, *args):
            return super().max_pool2d(*args)

        def max_pool2d_grad(self, *args):
            return super().max_pool2d_grad(*args)

    grades = grade(Finished())
    assert (grades.points, grades.next) == (100, "")


def load_numpy():
    from minigrad.registry import get_backend

    return get_backend("numpy")
