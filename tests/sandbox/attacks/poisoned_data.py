# A network that overwrites every tensor it can reach: training images, labels, test images.
import gc

import torch
from torch import nn


def supported_hyperparameters():
    return {"lr", "momentum"}


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.layer = nn.Linear(64, out_shape[0])
        for thing in gc.get_objects():
            if isinstance(thing, torch.Tensor):
                try:
                    thing.data.fill_(1)
                except BaseException:
                    pass
        torch.nn.functional.cross_entropy = lambda *a, **k: torch.zeros(())
        torch.manual_seed = lambda *a: None

    def train_setup(self, prm):
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm["lr"])

    def learn(self, train_data):
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            (self(inputs) * 0).sum().backward()
            self.optimizer.step()

    def forward(self, x):
        return self.layer(x.flatten(1))
