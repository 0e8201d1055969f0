"""The networks of tests/data/networks in every variant of the contract: their layers in another frame.

Each file there has the same frame, LEMUR's plain one. A variant replaces parts of its text, so that what is tested
is a whole source file again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILES = sorted((Path(__file__).parent.parent / "data" / "networks").glob("*.py"))
SOURCES = {path.stem: path.read_text() for path in FILES}

HEADER = """\
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
"""
SETUP = """\
    def train_setup(self, prm):
        self.to(self.device)
        self.criteria = (nn.CrossEntropyLoss().to(self.device),)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])
"""
LEARN = """\
    def learn(self, train_data):
        self.train()
        for inputs, labels in train_data:
            inputs, labels = inputs.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            loss = self.criteria[0](self(inputs), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 3)
            self.optimizer.step()
"""
_SGD = "torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])"


@dataclass(frozen=True)
class Frame:
    """One variant: what stands where the plain frame stood.

    Attributes:
        names: what ``supported_hyperparameters`` returns; None: what it returned.
        last: lines at the end of ``__init__``, where all layers are made.
        loss: does ``learn`` tell a loss?
    """

    header: str = HEADER
    setup: str = SETUP
    learn: str = LEARN
    names: str | None = None
    last: str = ""
    loss: bool = False

    def source(self, plain: str) -> str:
        """The network ``plain`` in this frame."""
        for part in (HEADER, SETUP, LEARN):
            assert plain.count(part) == 1, part
        end = plain.index("\n\n", plain.index(HEADER)) + 1
        text = plain[:end] + self.last + plain[end:]
        for old, new in ((HEADER, self.header), (SETUP, self.setup), (LEARN, self.learn)):
            text = text.replace(old, new)
        if self.names is None:
            return text
        text, found = re.subn(r"return \{'lr', 'momentum'.*\}\n", f"return {self.names}\n", text)
        assert found == 1
        return text


_RETURNS = LEARN.replace("self.train()", "self.train()\n        total, correct = 0.0, 0").replace(
    "loss = self.criteria[0](self(inputs), labels)",
    "outputs = self(inputs)\n            loss = self.criteria[0](outputs, labels)\n"
    "            total += loss.item()\n            correct += (outputs.argmax(1) == labels).sum().item()",
)
assert _RETURNS.count("outputs") == 3

FRAMES = {
    "plain": Frame(),
    "no_device": Frame(
        header="""\
    def __init__(self, in_shape, out_shape, prm):
        super(Net, self).__init__()
        self.learning_rate, self.momentum = prm['lr'], prm['momentum']
""",
        setup="""\
    def train_setup(self, device, prm):
        self.device = device
        self.to(device)
        self.criteria = nn.CrossEntropyLoss().to(device),
        self.optimizer = torch.optim.SGD(self.parameters(), lr=self.learning_rate, momentum=self.momentum)
""",
    ),
    "prm_device_value": Frame(
        setup=SETUP.replace("self, prm", "self, prm: dict, device: torch.device").replace("self.device", "device"),
        learn=_RETURNS + "        return total / len(train_data)\n",
        loss=True,
    ),
    "device_prm_tuple": Frame(
        setup=SETUP.replace("self, prm", "self, device, prm"),
        learn=_RETURNS + "        return total / len(train_data), correct / len(train_data.dataset)\n",
        loss=True,
    ),
    "yields_dict": Frame(learn=LEARN + "            yield {'loss': loss.detach(), 'lr': 0.5}\n", loss=True),
    "yields_tuple_own_device": Frame(
        header=HEADER.replace(", device)", ")").replace(
            "= device", "= torch.device('cuda' if torch.cuda.is_available() else 'cpu')"
        ),
        learn=LEARN.replace("for inputs, labels in train_data", "for step, (inputs, labels) in enumerate(train_data)")
        + "            yield step, loss.item()\n",
        loss=True,
    ),
    "bare": Frame(
        header="""\
    def __init__(self):
        super().__init__()
        in_shape, out_shape, prm = (32, 1, 8, 8), (10,), {'dropout': 0.2}
""",
    ),
    "per_batch": Frame(
        setup=SETUP.replace("(nn.CrossEntropyLoss().to(self.device),)", "[nn.CrossEntropyLoss()]"),
        learn="""\
    def learn(self, inputs, labels):
        self.optimizer.zero_grad()
        outputs = self(inputs)
        loss = self.criteria[0](outputs, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), 3)
        self.optimizer.step()
""",
    ),
    "keywords": Frame(
        header=HEADER.replace("self, in_shape, out_shape, prm, device", "self, *, device, prm, out_shape, in_shape"),
        setup=SETUP.replace("self, prm", "self, *, device=None, prm"),
        learn=LEARN.replace("self, train_data", "self, *, train_data"),
    ),
    "renamed_dict": Frame(
        header=HEADER.replace("in_shape, out_shape, prm, device", "shape, classes, hp, gpu").replace(
            "= device", "= gpu\n        in_shape, out_shape, prm = shape, classes, hp"
        ),
        setup=f"""\
    def train_setup(self, params, **unused):
        prm = params
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        self.optimizer = {_SGD}
""",
        learn=_RETURNS.replace("train_data", "loader").replace("self.criteria[0]", "self.criterion")
        + "        return {'accuracy': correct / len(loader.dataset), 'train_loss': total / len(loader)}\n",
        loss=True,
    ),
    "own_optimizer": Frame(
        header=HEADER.replace("self, in_shape", "self, in_shape: tuple").replace(
            "= device",
            "= device\n        assert prm['batch'] == in_shape[0]\n        assert not prm['pretrained'] > 0.5\n"
            "        assert 0 < prm['weight_decay'] < 1 <= prm['epoch_max']",
        ),
        last=f"        self.optimizer = {_SGD[:-1]}, weight_decay=prm['weight_decay'] / 1000)\n",
        setup="""\
    def train_setup(self, prm):
        self.criteria = (nn.CrossEntropyLoss(),)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=prm['epoch_max'])
""",
        learn=LEARN + "        self.scheduler.step()\n",
        names="{'lr': 0.01, 'momentum': 0.9, 'dropout': 0.2, 'batch': 64, 'pretrained': 0, 'weight_decay': 1}",
    ),
    "mixed_precision": Frame(
        setup=SETUP + "        self.scaler = torch.amp.GradScaler(self.device.type, enabled=False)\n"
        "        print('parameters:', sum(p.numel() for p in self.parameters()))\n",
        learn="""\
    def learn(self, train_data):
        from tqdm import tqdm
        old = torch.cuda.amp.GradScaler()
        bar = tqdm(train_data, total=len(train_data), desc='training')
        for inputs, labels in bar:
            inputs = inputs.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True).long()
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, enabled=self.device.type == 'cuda'):
                loss = self.criteria[0](self(inputs), labels)
            old.scale(self.scaler.scale(loss)).backward()
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            bar.set_postfix(loss=float(loss))
""",
    ),
}  # fmt: skip
