"""Arguments in another order and by keyword only; a peek at the data before the pass."""
import torch
import torch.nn as nn


def supported_hyperparameters() -> set[str]:
    return {'lr', 'momentum'}


class Net(nn.Module):
    def __init__(self, out_shape, in_shape, *, device, prm, width=20):
        super().__init__()
        self.device = device
        self.layers = nn.Sequential(
            nn.Conv2d(in_shape[1], width, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
            nn.Linear(16 * width, out_shape[0]),
        )

    def forward(self, x):
        return self.layers(x)

    def train_setup(self, prm):
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, train_data):
        first, _ = next(iter(train_data))
        scale = first.std().clamp_min(0.1)
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            self.criterion(self(inputs / scale), labels).backward()
            self.optimizer.step()
        return {'loss': None}
