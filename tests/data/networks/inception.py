"""Inception modules: four branches beside each other, concatenated."""
import torch
import torch.nn as nn


def conv(channels, width, kernel, stride=1):
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class Inception(nn.Module):
    def __init__(self, channels, one, three, five, pool):
        super().__init__()
        self.branch1 = conv(channels, one, 1)
        self.branch2 = nn.Sequential(conv(channels, three // 2, 1), conv(three // 2, three, 3))
        self.branch3 = nn.Sequential(conv(channels, five // 2, 1), conv(five // 2, five, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(channels, pool, 1))

    def forward(self, x):
        return torch.cat((self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)), dim=1)


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.stem = conv(in_shape[1], 16, 3, stride=2)
        self.inception1 = Inception(16, 8, 16, 8, 8)
        self.reduce = nn.MaxPool2d(3, stride=2, padding=1)
        self.inception2 = Inception(40, 16, 24, 12, 12)
        self.fc = nn.Linear(64, out_shape[0])

    def forward(self, x):
        x = self.inception1(self.stem(x))
        x = self.inception2(self.reduce(x))
        return self.fc(x.mean(dim=(2, 3)))

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
