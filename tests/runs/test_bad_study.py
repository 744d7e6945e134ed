"""Bad values of a study's own settings, and bad lists in vary."""

from __future__ import annotations

from bad_input import Case, checks_of

NAMES = "letters, digits, '.', '_' and '-', starting with a letter or digit"
SEEDS = "a number of at least 1, or a list of whole numbers of at least 0"
BACKWARDS = "one of jacobian, identity, clamped_0.01, clamped_0.1, clamped_0.5, autograd, fused"
FROM_1 = "a whole number of at least 1"
WIDTHS = "a list of layer widths of at least 1, e.g. [256]"

CASES = [
    # Values: the study's own
    Case("seeds twice", "seeds: [0, 3, 3]", "seeds", "each seed once, found [0, 3, 3]"),
    Case("seeds by name", "seeds: {lr: 1}", "seeds", f"{SEEDS}, found {{'lr': 1}}"),
    Case("no seeds", "seeds: []", "seeds", f"{SEEDS}, found []"),
    Case("zero seeds", "seeds: 0", "seeds", f"{SEEDS}, found 0"),
    Case("negative seed", "seeds: [0, -3]", "seeds", f"{SEEDS}, found [0, -3]"),
    Case("seeds true", "seeds: true", "seeds", f"{SEEDS}, found true"),
    Case("seeds null", "seeds: null", "seeds", f"{SEEDS}, found null"),
    Case("more runs than anybody trains", f"seeds: {10**15}", "seeds", "at most 100000 runs"),
    Case("name with a slash", "name: a/b", "name", f"{NAMES}, found 'a/b'"),
    Case("empty name", "name: ''", "name", f"{NAMES}, found ''"),
    Case("name with an accent", "name: étude", "name", f"{NAMES}, found 'étude'"),
    Case("name of 300 letters", f"name: {'a' * 300}", "name", "at most 128 letters, digits,"),
    Case("name as a number", "name: 1e3", "name", "found 1000.0; put it in quotes"),
    Case("misspelt auto", "stack: atuo", "stack", "a number of at least 1, or auto, found 'atuo'"),
    Case("no checkpoints", "checkpoint_every: 0", "checkpoint_every", f"{FROM_1}, found 0"),
    Case("mkl", "products: mkl", "products", "one of auto, blas, onednn, found 'mkl'"),
    Case("no engine", "engine: fast", "engine", "one of stack, plain, found 'fast'"),
    Case("plain stack", "{engine: plain, stack: 4}", "stack", "trains no stack, found 4"),
    Case("maybe weights", "keep_weights: maybe", "keep_weights", "true or false, found 'maybe'"),
    Case("no evaluations", "evaluate_every: 0", "evaluate_every", f"{FROM_1}, found 0"),
    Case("empty out", "out: ''", "out", "a folder, found ''"),
    # vary
    Case(
        "empty vary",
        "vary: {data.label_noise: []}",
        "vary.data.label_noise",
        "at least one value, found []",
    ),
    Case(
        "vary no list",
        "vary: {data.label_noise: 0.5}",
        "vary.data.label_noise",
        "each with a list of at",
    ),
    Case("vary null", "vary: null", "vary", "a mapping of keys to values, found null"),
    Case("vary a list", "vary: [data.inputs]", "vary", "a mapping of keys to values, found ['data"),
    Case(
        "vary an unknown key",
        "vary: {data.label_nois: [0, 1]}",
        "vary.data.label_nois",
        "one of dataset, root, label_noise,",
        "label_noise",
    ),
    Case(
        "vary without the subject",
        "vary: {label_noise: [0, 1]}",
        "vary.label_noise",
        "a run's fact but the seed",
        "data.label_noise",
    ),
    Case(
        "vary what is no fact", "vary: {stack: [1, 2]}", "vary.stack", "a run's fact but the seed"
    ),
    Case("vary the seed", "vary: {seed: [0, 1]}", "vary.seed", "a run's fact but the seed"),
    Case(
        "vary out of range",
        "vary: {data.label_noise: [0, 2]}",
        "vary.data.label_noise",
        "a probability in [0, 1], found 2",
    ),
    Case(
        "vary misspelt",
        "vary: {model.backward: [jacobian, identiti]}",
        "vary.model.backward",
        f"{BACKWARDS}, or package.module:object, found 'identiti'",
        "identity",
    ),
    Case("vary lrr", "vary: {optimizer.lrr: [1]}", "vary.optimizer.lrr", "one of lr, betas", "lr"),
    Case(
        "vary with equal values",
        "vary: {data.label_noise: [0, 0.0]}",
        "vary.data.label_noise",
        "each value once, found [0, 0.0]",
    ),
    Case("vary widths, not lists", "vary: {model.hidden: [64]}", "vary.model.hidden", WIDTHS),
    Case(
        "vary the class of study.Adam",
        "vary: {optimizer.class_path: [study.Adam, torch.optim.SGD]}",
        "vary.optimizer.class_path",
        "vary whole optimizers: vary: {optimizer: [{class_path: ...}, ...]}",
    ),
    Case(
        "a key varied in two spellings",
        "vary: {data.label_noise: [0, 1], data: {label_noise: [1]}}",
        "vary.data.label_noise",
        "one value; it is given twice, in two spellings",
    ),
    Case(
        "an argument varied in two spellings",
        "vary: {optimizer.lr: [1], optimizer.init_args.lr: [2]}",
        "vary.optimizer.lr",
        "one value; it is given twice, in two spellings",
    ),
    Case(
        "a value and a list",
        "vary: {data.label_noise: [0, 1]}\ndata: {label_noise: 0.5}",
        "data.label_noise",
        "a value or a list in vary; leave one of the two out",
    ),
    Case(
        "an argument and whole optimizers",
        "vary: {optimizer: [{lr: 1}, {lr: 2}]}\noptimizer: {eps: 1e-3}",
        "optimizer.eps",
        "a value or a list in vary; leave one of the two out",
    ),
    Case(
        "whole optimizers and an argument",
        "vary: {optimizer: [{lr: 1}], optimizer.eps: [1e-3]}",
        "vary.optimizer.eps",
        "one of the two; vary.optimizer has whole optimizers",
    ),
    Case(
        "the same optimizer twice",
        "vary: {optimizer: [{lr: 0.001}, {}]}",
        "vary.optimizer",
        "each value once, found [{'lr': 0.001}, {}]",
    ),
    Case(
        "an optimizer that is none",
        "vary: {optimizer: [{lr: 1}, SGD]}",
        "vary.optimizer",
        "a mapping of keys to values, found 'SGD'",
    ),
    Case(
        "an argument misspelt in one of several optimizers",
        "vary: {optimizer: [{lr: 1}, {lrr: 2}]}",
        "vary.optimizer.lrr",
        "one of lr, betas",
        "lr",
    ),
    Case(
        "vary all arguments at once",
        "vary: {optimizer.init_args: [{1: 2}, 3]}",
        "vary.optimizer.init_args",
        "a run's fact but the seed, e.g. data.label_noise",
        "optimizer.betas",
    ),
]


answered, test_rows_differ, test_bad_input_is_answered_with_one_line_and_leaves_nothing = checks_of(
    CASES
)
