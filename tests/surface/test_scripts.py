"""python -m minigrad.torch: unmodified PyTorch scripts print what PyTorch prints."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")

TRAINING = """
import argparse, sys
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset, random_split
from torch.utils.checkpoint import checkpoint
from torch.distributions import Categorical, Normal

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
args = parser.parse_args()
torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.backends.cudnn.benchmark = True

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.drop = nn.Dropout(0.25)
        self.out = nn.Linear(4 * 5 * 5, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return F.log_softmax(self.out(self.drop(torch.flatten(x, 1))), dim=1)

data = TensorDataset(torch.randn(60, 1, 12, 12), torch.randint(0, 10, (60,)))
train, test = random_split(data, [48, 12])
loader = DataLoader(train, batch_size=16, shuffle=True)
model = Net().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(args.epochs):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(x.to(device)), y)
        loss.backward()
        optimizer.step()
        print(f"{epoch} {loss.item():.4f}")
model.eval()
with torch.no_grad():
    print(sum((model(x[None]).argmax(1) == y).item() for x, y in test))
policy = Categorical(logits=torch.randn(3, 4))
action = policy.sample()
print(action.tolist(), [round(v, 4) for v in policy.log_prob(action).tolist()])
print(round(Normal(torch.zeros(2), torch.ones(2)).rsample((8,)).sum().item(), 4))
torch.save(model.state_dict(), sys.argv[0] + ".pt")
print(sorted(torch.load(sys.argv[0] + ".pt", weights_only=True)))
print(__name__, torch.FloatTensor([1, 2]).dtype == torch.float32, isinstance(data[0][0], torch.Tensor))
"""


def run(*args, **env):
    environment = {**os.environ, "MINIGRAD_BACKEND": "numpy", "OMP_NUM_THREADS": "1", **env}
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, env=environment, check=False
    )


def test_a_training_script_prints_the_same_numbers(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRAINING)
    theirs = run(script, "--epochs", 2)
    ours = run("-m", "minigrad.torch", script, "--epochs", 2)
    assert theirs.returncode == 0, theirs.stderr
    assert ours.returncode == 0, ours.stderr
    assert ours.stdout == theirs.stdout
    assert len(ours.stdout.splitlines()) == 11


@pytest.mark.parametrize(
    "line, error, text",
    [
        ("import torch; torch.nonsense", "AttributeError", "module 'torch' has no attribute 'nonsense' in minigrad"),
        ("import torch.nn as nn; nn.Nonsense", "AttributeError", "'torch.nn' has no attribute 'Nonsense' in minigrad"),
        ("from torch.nn import Nonsense", "ImportError", "cannot import name 'Nonsense' from 'torch.nn'"),
        ("import torch.onnx", "ModuleNotFoundError", "No module named 'torch.onnx' in minigrad"),
        ("import torchvision.ops", "ModuleNotFoundError", "No module named 'torchvision.ops' in minigrad"),
        ("import sys; sys.exit(7)", "", ""),
    ],
)
def test_missing_names_say_where_the_list_is(line, error, text, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(line)
    done = run("-m", "minigrad.torch", script)
    assert done.returncode == (7 if not error else 1)
    assert error in done.stderr and text in done.stderr
    if error:
        assert "docs/surface.md" in done.stderr


def test_modules_are_minigrads_own(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import torch, torch.nn, minigrad, sys\n"
        "assert torch.Tensor is minigrad.Tensor and torch.nn.Linear is minigrad.nn.Linear\n"
        "assert torch.nn.functional.relu is minigrad.nn.functional.relu\n"
        "from torchvision import transforms, datasets\n"
        "assert transforms.ToTensor is minigrad.transforms.ToTensor and datasets.MNIST is minigrad.datasets.MNIST\n"
        "assert not hasattr(torch, 'onnx') and hasattr(torch, 'lerp')\n"
        "assert 'numpy' in sys.modules and torch.__version__.startswith('2.') and torch.__version__ == torch.version.__version__\n"
        "print('fine')"
    )
    done = run("-m", "minigrad.torch", script)
    assert done.stdout == "fine\n", done.stderr


def test_usage_list_and_modules(tmp_path):
    assert run("-m", "minigrad.torch").returncode == 2
    assert "usage" in run("-m", "minigrad.torch", "--help").stdout
    listing = run("-m", "minigrad.torch", "--list").stdout
    assert "torch.nn:" in listing and " lerp " in listing
    (tmp_path / "mod.py").write_text("import torch, sys; print(torch.ones(1).item(), sys.argv[1:])")
    done = subprocess.run(
        [sys.executable, "-m", "minigrad.torch", "-m", "mod", "a"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout == "1.0 ['a']\n", done.stderr


def test_importing_the_package_changes_nothing():
    done = run(
        "-c", "import minigrad.torch, sys; assert 'torch' not in sys.modules; import torch; print(torch.__name__)"
    )
    assert done.stdout == "torch\n" and done.returncode == 0
    late = run("-c", "import torch, minigrad.torch; minigrad.torch.install()")
    assert "already imported" in late.stderr


def test_scripts_whose_import_is_changed_find_the_switches(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import minigrad as torch\n"
        "from minigrad.autograd import Variable\n"
        "v = Variable(torch.ones(2), requires_grad=True)\n"
        "assert v.requires_grad and v.is_leaf and isinstance(v, Variable) and not isinstance(2, Variable)\n"
        "torch.backends.cudnn.benchmark = False\n"
        "torch.backends.cudnn.deterministic = True\n"
        "device = 'mps' if torch.backends.mps.is_available() else 'cpu'\n"
        "twice = torch.jit.script(lambda x: 2 * x)\n"
        "torch.backends.cuda.matmul.allow_tf32 = True\n"
        "print(device, twice(torch.ones(2, device=device)).tolist(), torch.compiler.is_compiling())\n"
        "assert torch.backends.numpy_backend and not hasattr(torch.backends, 'nothing') and not hasattr(torch, 'nothing')\n"
    )
    done = run(script)
    assert done.stdout == "cpu [2.0, 2.0] False\n", done.stderr


SMALL_MODULES = """
import torch
from torch.nn.modules.utils import _pair, _triple
from torch.nn.modules.linear import Linear
from torch.profiler import ProfilerActivity, profile, record_function
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.sgd import SGD
from torch.distributions.categorical import Categorical
import torchvision.models as models

@torch.jit.script
def twice(x):
    return x * 2

torch.cuda.manual_seed_all(1)
print(twice(torch.ones(2)), torch.jit.trace(twice, torch.ones(2))(torch.ones(1)))
print(torch.mps.is_available(), torch.xpu.is_available(), torch.distributed.is_available())
print(_pair(3), _triple((1, 2, 3)), Linear is torch.nn.Linear, SGD is torch.optim.SGD)
with profile(activities=[ProfilerActivity.CPU]) as found, record_function("twice"), sdpa_kernel(SDPBackend.MATH):
    twice(torch.ones(1))
print(found.key_averages().table(sort_by="cpu_time_total"))
model = torch.nn.DataParallel(Linear(2, 2))
print(list(model.state_dict()), model(torch.ones(1, 2)).shape, type(model.module.weight), models.alexnet.__name__)
for attempt in (lambda: torch.hub.load("a", "b"), lambda: __import__("torch.fx")):
    try:
        attempt()
    except (NotImplementedError, ImportError) as error:
        print(error)
"""


def test_small_modules_are_there_or_say_what_is_not(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SMALL_MODULES)
    done = subprocess.run(
        [sys.executable, "-m", "minigrad.torch", str(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "tensor([2., 2.]) tensor([2.])",
        "False False False",
        "(3, 3) (1, 2, 3) True True",
        "minigrad records no profile; Python's cProfile does.",
        "['module.weight', 'module.bias'] torch.Size([1, 2]) <class 'torch.nn.parameter.Parameter'> alexnet",
        "loading weights from the network is not there in minigrad",
        "No module named 'torch.fx' in minigrad: `python -m minigrad.torch --list` and docs/surface.md say what there is",
    ]
