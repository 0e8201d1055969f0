"""ConvNeXt in small: depthwise 7x7, LayerNorm over channels, two pointwise layers, layer scale."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.pointwise1 = nn.Linear(width, 2 * width)
        self.pointwise2 = nn.Linear(2 * width, width)
        self.layer_scale = nn.Parameter(0.5 * torch.ones(width))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.layer_scale * self.pointwise2(F.gelu(self.pointwise1(y)))
        return x + y.permute(0, 3, 1, 2)


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.stem = nn.Sequential(nn.Conv2d(in_shape[1], 24, 4, stride=4), LayerNorm2d(24))
        self.stage1 = nn.Sequential(CNBlock(24), CNBlock(24))
        self.downsample = nn.Sequential(LayerNorm2d(24), nn.Conv2d(24, 48, 2, stride=2))
        self.stage2 = nn.Sequential(CNBlock(48), CNBlock(48))
        self.norm = nn.LayerNorm(48)
        self.head = nn.Linear(48, out_shape[0])

    def forward(self, x):
        x = self.stage2(self.downsample(self.stage1(self.stem(x))))
        return self.head(self.norm(x.mean((2, 3))))

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
