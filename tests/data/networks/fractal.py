"""FractalNet: a block of order n is one convolution beside two blocks of order n - 1, joined by the mean."""
import torch
import torch.nn as nn


class FractalBlock(nn.Module):
    def __init__(self, channels, width, order):
        super().__init__()
        self.short = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.long = None
        if order > 1:
            self.long = nn.Sequential(FractalBlock(channels, width, order - 1), FractalBlock(width, width, order - 1))

    def forward(self, x):
        if self.long is None:
            return self.short(x)
        return (self.short(x) + self.long(x)) / 2


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.stem = nn.Conv2d(in_shape[1], 12, 3, stride=2, padding=1)
        self.block1 = FractalBlock(12, 16, order=3)
        self.pool = nn.MaxPool2d(2)
        self.block2 = FractalBlock(16, 28, order=2)
        self.head = nn.Linear(28, out_shape[0])

    def forward(self, x):
        x = self.block2(self.pool(self.block1(self.stem(x))))
        return self.head(x.mean((2, 3)))

    def train_setup(self, prm):
        self.to(self.device)
        self.criteria = (nn.CrossEntropyLoss().to(self.device),)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, train_data):
        self.train()
        for inputs, labels in train_data:
            inputs, labels = inputs.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            loss = self.criteria[0](self(inputs), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 3)
            self.optimizer.step()


def supported_hyperparameters():
    return {'lr', 'momentum'}
