"""Bad keys and values of a config's subjects: one line that helps, nothing left."""

from __future__ import annotations

from bad_input import Case, checks_of

BACKWARDS = "one of jacobian, identity, clamped_0.01, clamped_0.1, clamped_0.5, autograd, fused"
DATASETS = "one of mnist5k, digits, mnist, fashion_mnist, kmnist, cifar10"
CLASSES = "a list of mappings with class_path (a.B) and init_args"
FROM_1 = "a whole number of at least 1"
WIDTHS = "a list of layer widths of at least 1, e.g. [256]"

CASES = [
    # Keys
    Case("unknown key", "seedz: 3", "seedz", "evaluate_every, name, seeds,", "seeds"),
    Case("unknown subject", "dta: {label_noise: 1}", "dta", "data, model, stop", "data"),
    Case(
        "unknown data key",
        "data: {label_nois: 1}",
        "data.label_nois",
        "one of dataset,",
        "label_noise",
    ),
    Case(
        "unknown model key",
        "model: {backwards: fused}",
        "model.backwards",
        "one of hidden,",
        "backward",
    ),
    Case(
        "unknown stop key",
        "stop: {train_acuracy: 1}",
        "stop.train_acuracy",
        "one of train_accuracy, train_cross_entropy",
        "train_accuracy",
    ),
    Case(
        "unknown trainer key",
        "trainer: {max_epoch: 5}",
        "trainer.max_epoch",
        "one of max_epochs,",
        "max_epochs",
    ),
    Case("unknown Adam argument", "optimizer: {lrr: 1}", "optimizer.lrr", "one of lr, betas", "lr"),
    Case(
        "unknown Adam argument in init_args",
        "optimizer: {init_args: {beta: [0, 0]}}",
        "optimizer.beta",
        "one of lr, betas",
        "betas",
    ),
    Case(
        "dotted key outside vary",
        "data.inputs: gaussian",
        "data.inputs",
        "write inputs below data:",
    ),
    Case("key that is a number", "1: 2", "1", "evaluate_every, name, seeds,"),
    Case("option in a config", "plan: true", "plan", "remove it"),
    # Values: data
    Case("noise above 1", "data: {label_noise: 1.5}", "data.label_noise", "in [0, 1], found 1.5"),
    Case("noise below 0", "data: {label_noise: -0.1}", "data.label_noise", "in [0, 1], found -0.1"),
    Case(
        "noise as text", "data: {label_noise: half}", "data.label_noise", "in [0, 1], found 'half'"
    ),
    Case("noise as a list", "data: {label_noise: [0]}", "data.label_noise", "in [0, 1], found [0]"),
    Case("noise nan", "data: {label_noise: .nan}", "data.label_noise", "in [0, 1], found nan"),
    Case("noise infinite", "data: {label_noise: .inf}", "data.label_noise", "in [0, 1], found inf"),
    Case("noise true", "data: {label_noise: true}", "data.label_noise", "in [0, 1], found true"),
    Case("noise null", "data: {label_noise: null}", "data.label_noise", "in [0, 1], found null"),
    Case("misspelt data set", "data: {dataset: minst}", "data.dataset", DATASETS, "mnist"),
    Case(
        "a data set in a module, with a dot",
        "data: {dataset: my.module.source}",
        "data.dataset",
        "or package.module:object, found 'my.module.source'",
    ),
    Case(
        "a loss of this package by its path",
        "model: {loss: 'study.nn.losses:cross_entropy'}",
        "model.loss",
        "one of cross_entropy, squared_error, or package.module:object, found",
        "cross_entropy",
    ),
    Case("misspelt inputs", "data: {inputs: shuffled}", "data.inputs", "one of", "shuffled_pixels"),
    Case("None for none", "data: {normalize: None}", "data.normalize", "one of none,", "none"),
    Case("no root", "data: {root: ''}", "data.root", "a folder, found ''"),
    Case("root as a number", "data: {root: 5}", "data.root", "a folder, found 5; put it in quotes"),
    Case("no batch", "data: {batch_size: 0}", "data.batch_size", f"{FROM_1}, found 0"),
    Case("half a batch", "data: {batch_size: 2.5}", "data.batch_size", f"{FROM_1}, found 2.5"),
    Case("batch true", "data: {batch_size: true}", "data.batch_size", f"{FROM_1}, found true"),
    Case("batch null", "data: {batch_size: null}", "data.batch_size", f"{FROM_1}, found null"),
    Case(
        "batch larger than the subset",
        "data: {train_examples: 50, batch_size: 60}",
        "data.batch_size",
        "at most the 50 training examples, found 60",
    ),
    Case(
        "more examples than there are",
        "data: {train_examples: 4001}",
        "data.train_examples",
        "at most the 4000 training examples of mnist5k, found 4001",
    ),
    Case("no examples", "data: {train_examples: 0}", "data.train_examples", "or null, found 0"),
    Case("data not a mapping", "data: 5", "data", "a mapping of keys to values, found 5"),
    Case("data with nothing below", "data:", "data", "a mapping of keys to values, found null"),
    # Values: model
    Case(
        "one width without a list", "model: {hidden: 256}", "model.hidden", f"{WIDTHS}, found 256"
    ),
    Case("width 0", "model: {hidden: [256, 0]}", "model.hidden", f"{WIDTHS}, found [256, 0]"),
    Case("width as text", "model: {hidden: [wide]}", "model.hidden", f"{WIDTHS}, found ['wide']"),
    Case("width beyond 64 bits", f"model: {{hidden: [{10**20}]}}", "model.hidden", WIDTHS),
    Case(
        "misspelt backward", "model: {backward: jacobain}", "model.backward", BACKWARDS, "jacobian"
    ),
    Case("short for a loss", "model: {loss: squared}", "model.loss", "one of", "squared_error"),
    # Values: optimizer
    Case("negative lr", "optimizer: {lr: -0.1}", "optimizer.lr", "a number above 0, found -0.1"),
    Case("lr as text", "optimizer: {lr: fast}", "optimizer.lr", "a number above 0, found 'fast'"),
    Case("lr null", "optimizer: {lr: null}", "optimizer.lr", "a number above 0, found null"),
    Case("one beta", "optimizer: {betas: [0.9]}", "optimizer.betas", "two numbers in [0, 1)"),
    Case("beta 1", "optimizer: {betas: [0.9, 1]}", "optimizer.betas", "found [0.9, 1]"),
    Case(
        "switch as a number", "optimizer: {fused: 1}", "optimizer.fused", "true or false, found 1"
    ),
    Case("optimizer not a mapping", "optimizer: Adam", "optimizer", "a mapping of keys to values"),
    Case(
        "class without a module",
        "optimizer: {class_path: SGD}",
        "optimizer.class_path",
        "one of study.Adam, or an import path, e.g. torch.optim.SGD, found 'SGD'",
    ),
    Case(
        "init_args not a mapping",
        "optimizer: {class_path: torch.optim.SGD, init_args: [0.1]}",
        "optimizer.init_args",
        "a mapping of argument names to values, found [0.1]",
    ),
    Case(
        "argument given twice",
        "optimizer: {lr: 0.1, init_args: {lr: 0.2}}",
        "optimizer.lr",
        "one value; it is given twice, in two spellings",
    ),
    Case(
        "argument of another class not finite",
        "optimizer: {class_path: torch.optim.SGD, lr: .nan}",
        "optimizer.lr",
        "a finite number, found nan",
    ),
    # Values: W&B
    Case("misspelt mode", "wandb: {mode: ofline}", "wandb.mode", "one of", "offline"),
    Case(
        "misspelt W&B key", "wandb: {projct: a}", "wandb.projct", "one of mode, project,", "project"
    ),
    Case("project as a path", "wandb: {project: a/b}", "wandb.project", "without / \\ # ? % :"),
    Case("project with a tab", 'wandb: {project: "a\\tb"}', "wandb.project", "a printable name of"),
    Case("entity with a blank", "wandb: {entity: my lab}", "wandb.entity", "user or team"),
    Case("group too long", f"wandb: {{group: {'g' * 129}}}", "wandb.group", "128 characters"),
    Case("one tag", "wandb: {tags: a}", "wandb.tags", "a list of printable names"),
    # Values: stop, trainer
    Case(
        "accuracy above 1",
        "stop: {train_accuracy: 99}",
        "stop.train_accuracy",
        "in [0, 1], or null",
    ),
    Case(
        "cross-entropy 0", "stop: {train_cross_entropy: 0}", "stop.train_cross_entropy", "above 0"
    ),
    Case("no epochs", "trainer: {max_epochs: 0}", "trainer.max_epochs", f"{FROM_1}, found 0"),
    Case("epochs as text", "trainer: {max_epochs: many}", "trainer.max_epochs", f"{FROM_1}, found"),
    Case("misspelt device", "trainer: {accelerator: cud}", "trainer.accelerator", "one of", "cuda"),
    Case("precision 16", "trainer: {precision: 16}", "trainer.precision", "bf16-mixed, found 16"),
    Case(
        "bf16 with derived gradients",
        "trainer: {precision: bf16-mixed}",
        "trainer.precision",
        "with model.gradients: derived, found 'bf16-mixed'; set model.gradients: autograd",
    ),
    Case(
        "clip at 0", "trainer: {gradient_clip_val: 0}", "trainer.gradient_clip_val", "above 0, or"
    ),
    Case("callback as text", "trainer: {callbacks: [a.B]}", "trainer.callbacks", CLASSES),
    Case(
        "callback without a module",
        "trainer: {callbacks: [{class_path: Timer}]}",
        "trainer.callbacks",
        CLASSES,
    ),
    Case(
        "callback's arguments not a mapping",
        "trainer: {callbacks: [{class_path: a.B, init_args: 3}]}",
        "trainer.callbacks",
        CLASSES,
    ),
]


answered, test_rows_differ, test_bad_input_is_answered_with_one_line_and_leaves_nothing = checks_of(
    CASES
)
