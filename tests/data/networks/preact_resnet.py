"""Pre-activation ResNet with bottlenecks: normalisation and ReLU before each convolution."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class PreActBottleneck(nn.Module):
    def __init__(self, channels, width, stride=1):
        super().__init__()
        inner = width // 2
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, width, 1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, x):
        out = F.relu(self.norm1(x))
        shortcut = self.shortcut(out)
        out = self.conv1(out)
        out = self.conv2(F.relu(self.norm2(out)))
        out = self.conv3(F.relu(self.norm3(out)))
        return out + shortcut


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.conv = nn.Conv2d(in_shape[1], 16, 3, 2, 1, bias=False)
        self.blocks = nn.Sequential(
            PreActBottleneck(16, 32), PreActBottleneck(32, 48, stride=2), PreActBottleneck(48, 64, stride=2)
        )
        self.norm = nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, out_shape[0])

    def forward(self, x):
        x = F.relu(self.norm(self.blocks(self.conv(x))))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))

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
