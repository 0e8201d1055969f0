"""BoTNet in small: a convolutional start, then a bottleneck with self-attention over all positions."""
import torch
import torch.nn as nn


class SelfAttention2d(nn.Module):
    def __init__(self, width, heads, height, length):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.position = nn.Parameter(torch.randn(heads, width // heads, height * length) * 0.1)
        self.scale = (width // heads) ** -0.5

    def forward(self, x):
        batch, width, height, length = x.shape
        qkv = self.qkv(x).view(batch, 3, self.heads, width // self.heads, height * length)
        q, k, v = qkv[:, 0], qkv[:, 1], qkv[:, 2]
        weights = torch.softmax(self.scale * q.transpose(-2, -1) @ (k + self.position), dim=-1)
        return (v @ weights.transpose(-2, -1)).reshape(batch, width, height, length)


class AttentionBottleneck(nn.Module):
    def __init__(self, channels, inner, height, length):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            SelfAttention2d(inner, 4, height, length), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            nn.Conv2d(inner, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return torch.relu(x + self.body(x))


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        height, length = ((size + 3) // 4 for size in in_shape[2:])
        self.stem = nn.Sequential(
            nn.Conv2d(in_shape[1], 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True),
            nn.Conv2d(16, 48, 3, 2, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU(inplace=True),
        )
        self.block = AttentionBottleneck(48, 32, height, length)
        self.head = nn.Linear(48, out_shape[0])

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))

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
