"""LEMUR's older form: learn(inputs, labels) takes one batch; attention over rows; more hyperparameters."""
import math

import torch
import torch.nn as nn


def supported_hyperparameters():
    return {'lr', 'momentum', 'dropout', 'batch', 'pretrained', 'attention_dropout'}


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        width = in_shape[1] * in_shape[3]
        assert in_shape[0] == prm['batch']
        assert not prm['pretrained']
        self.embed = nn.Linear(width, 32)
        self.place = nn.Parameter(torch.randn(1, in_shape[2], 32) / math.sqrt(32))
        self.attention = nn.MultiheadAttention(32, 4, dropout=prm['attention_dropout'], batch_first=True)
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Dropout(prm['dropout']), nn.Linear(32, out_shape[0]))

    def forward(self, x):
        rows = self.embed(x.transpose(1, 2).flatten(2)) + self.place
        mixed, _ = self.attention(rows, rows, rows)
        return self.head((rows + mixed).mean(1))

    def train_setup(self, prm):
        self.criteria = (nn.CrossEntropyLoss(),)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, inputs, labels):
        self.optimizer.zero_grad()
        loss = self.criteria[0](self(inputs), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()
