"""jin2022/lenet-preview: Does pruning LeNet-300-100 generalize better by training longer, or by giving up noisy
examples?

LeNet-300-100 on MNIST, dense, pruned and extended, with and without label noise: the first column of the paper at full
training length, 40 epochs a level, because at 10 epochs noisy labels are not yet fitted (3 % of them against 65 % at
40).
"""
