"""The table of codes, one row a kind of diagnostic; `docs/errors.md` is generated from it.

Blocks: E01 text and syntax, E02 names, E03 dims and shapes, E04 types, E05 distributions and supports,
E06 loops and recurrences, E07 functions, params and guide blocks, E08 what the compiler can't do with a legal
program, E09 sub-models and imports, E10 data, E11 fitting, E12 files, E13 arguments of calls, E14 translating a Stan
program, E15 density estimators, W01 lint. A long file, for it is one table: codes are given out once, over all stages.
"""

from __future__ import annotations

from emfppl.grammar.diagnostics import Code

CODES: tuple[Code, ...] = (
    # -- E01 text and syntax
    Code(
        "E0101",
        "a sign that does not belong",
        "Programs are made of letters, digits and the signs of the language. Word processors put other "
        "quotation marks, dashes and spaces in their place.",
    ),
    Code(
        "E0102",
        "an unfinished statement",
        "A newline ends a statement, except inside ( ) and [ ]. Something is missing at the end of the line, or "
        "two statements stand in one.",
    ),
    Code("E0103", "a bracket that is never closed", "Each `(`, `[` and `{` needs its closing one."),
    Code(
        "E0104",
        "a closing bracket that closes nothing",
        "A `)`, `]` or `}` without its opening one, or one that does not fit it.",
    ),
    Code("E0105", "something in the wrong place", "A word or sign stands where the grammar has no place for it."),
    Code(
        "E0106",
        "a line that is no statement",
        "Each line declares, draws with `~`, sets with `=`, or starts a block. A value alone does nothing.",
    ),
    Code(
        "E0107",
        "a word of the language as a name",
        "`dim data param def for in factor return guide if and or not true false` can't name anything.",
    ),
    Code("E0108", "a string", "There are no strings in a program; labels of dims come with the data."),
    Code(
        "E0109",
        "a statement outside its block",
        "`return` stands in a function, which holds nothing else but `=`; `backbone` and `gate` stand in a guide block, layers "
        "in a density block.",
    ),
    Code(
        "E0110",
        "too much nesting",
        "Expressions nest 100 deep at most, counting each operator of a sum; blocks, and calls of functions in "
        "functions, 20 deep.",
    ),
    Code("E0111", "a number that is none", "Numbers look like `1000`, `0.5` or `1e-3`, and are finite."),
    Code(
        "E0120",
        "a declaration in another language's manner",
        "`data NAME[dims]: type` declares what is known; an unknown is declared by its prior, and a function by `def`.",
    ),
    Code(
        "E0121",
        "an assignment in another language's manner",
        "`=` sets a variable, once and for all. `factor` adds to the log density.",
    ),
    Code(
        "E0122",
        "a loop or range in another language's manner",
        "Loops run over dims, or parts of them: `for t in time[1:] {`. Positions count from 0.",
    ),
    Code(
        "E0123",
        "a block that does not exist",
        "The whole file is the model. Blocks are the bodies of `for`, `def` and `guide`.",
    ),
    Code("E0124", "another language's comment or semicolon", "A comment starts with `#`, and a newline ends a statement."),
    Code("E0125", "an operator that does not exist", "Operators are `+ - * / // % ^ @`, comparisons, `and`, `or` and `not`."),
    Code(
        "E0126",
        "Python or R",
        "A program is not Python: draws are written with `~`, functions and distributions have bare names.",
    ),
    Code(
        "E0127",
        "control flow that does not exist",
        "A choice is an expression, `if(condition, value, otherwise)`; repetition is over dims.",
    ),
    Code(
        "E0128",
        "a truncation in another language's manner",
        "`truncated(distribution, lower, upper)`, or a narrower type on the left, truncates and renormalises.",
    ),
    # -- E02 names
    Code(
        "E0201",
        "an undefined name",
        "A name was used that no dim, data, param, `~`, `=` or loop defines. Inside a function only its arguments are seen.",
    ),
    Code(
        "E0202",
        "a use before the definition",
        "A program reads from top to bottom: a `~` or `=` comes after what it uses. Dims, data, "
        "params and functions may stand anywhere.",
    ),
    Code(
        "E0203",
        "a name defined twice",
        "Two declarations or two values have the same name, or data or a param is set by a statement.",
    ),
    Code(
        "E0204",
        "a name that is taken",
        "The name is a distribution's, or a loop variable has the name of a variable, dim or "
        "outer loop, or a `def` that of a function of the language.",
    ),
    Code(
        "E0205",
        "an unknown dim",
        "Brackets of a declaration and heads of loops hold names of dims, each declared by `dim NAME`.",
    ),
    Code(
        "E0206",
        "an unknown function",
        "A call of something that is no function of the language and has no `def`.",
    ),
    Code(
        "E0207",
        "an unknown distribution",
        "Behind `~` stands a name that is not in the table of distributions.",
    ),
    Code(
        "E0208",
        "a helper outside its loop",
        "`m = …` inside a loop, without the loop variable, is a helper of that round; outside of the loop it is gone.",
    ),
    Code(
        "E0209",
        "something that is not a value",
        "A function, a distribution or a part of a dim stands where a value is needed.",
    ),
    # -- E03 dims and shapes
    Code(
        "E0301",
        "lengths that differ",
        "Two values over the same dim cover parts of different length, such as `x[1:] - x`.",
    ),
    Code(
        "E0302",
        "a dim that the target lacks",
        "The value on the right runs over a dim that the left side does not have. Reduce it, or add the dim on the left.",
    ),
    Code(
        "E0303",
        "the wrong dim in a subscript",
        "A dim, loop variable or index stands where another dim belongs. Only a loop over `d` or "
        "an `index(d)` indexes `d`, whatever the sizes.",
    ),
    Code("E0304", "too many subscripts", "There are more subscripts than dims."),
    Code(
        "E0305",
        "pieces of a variable that disagree",
        "A variable defined in pieces has different dims in them, or nothing says over which dim it runs.",
    ),
    Code(
        "E0306",
        "a position outside its dim",
        "A constant position or slice lies outside a dim whose size the file gives, or a slice ends before it starts.",
    ),
    Code(
        "E0307",
        "a dim twice",
        "The axes of an array are told apart by name: a second axis over the same dim is primed, `K[a, a']`.",
    ),
    Code(
        "E0308",
        "a reduction over what is not there",
        "`over =` names a dim that the value does not have, or a single number is reduced.",
    ),
    Code("E0309", "@ without a shared dim", "`a @ b` sums over a dim that both sides have."),
    Code(
        "E0310",
        "a list that does not fit",
        "A list stands where its dim is not known, or has the wrong number of entries.",
    ),
    Code(
        "E0311",
        "a size that is none",
        "The size of a dim is made of whole numbers, other dims, and scalar data of type int or count, with +, - and *.",
    ),
    Code(
        "E0312",
        "a slice whose bounds are not known",
        "Bounds of a slice are whole numbers and sizes of dims, so that lengths are known before the data.",
    ),
    Code(
        "E0313",
        "an argument or target of the wrong rank",
        "A distribution of vectors needs a target that ends in a dim; its vector and matrix arguments run over that dim.",
    ),
    Code("E0314", "not a vector or matrix", "A function of vectors or matrices was given something else."),
    Code(
        "E0315",
        "a product of matrices over the same two dims",
        "`A @ B` sums over one dim and aligns all others by name; two matrices that both end in `[k, k']` are multiplied as "
        "matrices. In another order of the dims the one that is summed is renamed: `A[k, k''] @ B[k'', k']`.",
    ),
    # -- E04 types
    Code(
        "E0401",
        "a value of the wrong kind",
        "A condition where a number belongs, a number where a condition belongs, or comparisons that chain.",
    ),
    Code(
        "E0402",
        "a subscript that is no index",
        "Only constants, loop variables and values of type `index(dim)` may be subscripts.",
    ),
    Code(
        "E0403",
        "a type that does not exist or is written wrongly",
        "An unknown type, wrong bounds, or a structured type without a dim to run over.",
    ),
    Code(
        "E0404",
        "arithmetic in a subscript",
        "A subscript in a loop has the form `a * t + b`; arithmetic on an index makes it a plain int.",
    ),
    Code(
        "E0405",
        "a value that is not of the written type",
        "The type written on `=`, on an argument or on the result of a function is not that of the value.",
    ),
    Code(
        "E0406",
        "a ? where nothing can be missing",
        "Only data that are observed may have missing entries.",
    ),
    Code(
        "E0407",
        "not a constant",
        "Defaults, starts, entries of lists and bounds in declarations are constants.",
    ),
    Code(
        "E0408",
        "a constant outside its type",
        "A default or a start is not a value of the declared type.",
    ),
    Code(
        "E0409",
        "a type written twice",
        "The type of data is written where it is declared, not where it is observed.",
    ),
    # -- E05 distributions and supports
    Code("E0501", "an unknown argument of a distribution", "The distribution has no argument of that name."),
    Code("E0502", "a missing argument of a distribution", "An argument without a default was left out."),
    Code(
        "E0503",
        "an argument given twice",
        "The same argument twice, or two that exclude each other, such as probs and logits.",
    ),
    Code("E0504", "too many arguments", "More arguments than the distribution takes."),
    Code(
        "E0505",
        "an argument outside its range",
        "A constant that the argument can't be, such as a negative scale.",
    ),
    Code(
        "E0506",
        "a type that the distribution can't have",
        "The written type and the support of the distribution don't fit together.",
    ),
    Code(
        "E0507",
        "a distribution in the place of a value",
        "Distributions stand behind `~`, values behind `=` and in expressions.",
    ),
    Code(
        "E0508",
        "data that can't come from their distribution",
        "The declared type of the data and the distribution exclude each other, such as real data from a Poisson.",
    ),
    Code(
        "E0509",
        "a distribution that can't be composed so",
        "What stands inside Mixture, truncated, censored, rounded or ZeroInflated is not what they need.",
    ),
    Code(
        "E0510",
        "a censored latent",
        "`censored` and `rounded` say how data were recorded; what is not data is drawn from the distribution inside.",
    ),
    Code(
        "E0511",
        "a distribution that can't be defined so",
        "A `distribution` block gives the log density of one number, its first argument, in terms of other single numbers.",
    ),
    # -- E06 loops and recurrences
    Code(
        "E0601",
        "a use of a later round",
        "A loop runs forward; a round may use earlier rounds and earlier lines of its own.",
    ),
    Code("E0602", "a variable with gaps", "A variable defined in pieces must be defined everywhere."),
    Code(
        "E0603",
        "an element defined twice",
        "Two pieces of a variable overlap, or data are observed twice.",
    ),
    Code(
        "E0604",
        "the same in every round",
        "A statement inside a loop must have the loop variable on the left, or it would be repeated in every round.",
    ),
    Code("E0605", "a declaration inside a loop", "Only `~`, `=`, `factor` and `for` stand inside loops."),
    Code("E0606", "a variable that depends on itself", "An element is used in its own definition."),
    Code(
        "E0607",
        "a left side that can't be defined so",
        "On the left stand dims, slices, numbers, and each loop variable once.",
    ),
    Code(
        "E0608",
        "a subscript that leaves its dim",
        "In some round of the loop the subscript lies outside the dim.",
    ),
    # -- E07 functions, params, guide blocks
    Code(
        "E0701",
        "the wrong number of arguments",
        "A function was called with too many or too few arguments.",
    ),
    Code(
        "E0702",
        "a function that calls itself",
        "Functions are written into the place of their calls and can't be recursive.",
    ),
    Code("E0703", "a function without a result", "A function ends in one `return`."),
    Code(
        "E0704",
        "an unknown or repeated argument of a function",
        "The function has no argument of that name, or was given it twice.",
    ),
    Code("E0705", "a param that can't be learned", "A param is learned by gradients and must be real."),
    Code(
        "E0706",
        "a backbone that is unknown or has wrong options",
        "The guide block names a backbone, or options of it, that do not exist.",
    ),
    Code(
        "E0707",
        "a gate that can't be set",
        "The guide block sets a gate of something that is no latent, or in a way that does not exist.",
    ),
    Code("E0708", "a second guide, backbone or gate", "Each is given once."),
    Code(
        "E0709",
        "a differential equation that can't be solved so",
        "`ode(f, y0, t0, times, …)` takes the name of a function `def f(t: real, y[k]: real, …): real` that returns the slopes "
        "of y, over y's own dims; the times have a dim of their own.",
    ),
    # -- E08 limits of the compiler
    Code(
        "E0801",
        "a discrete latent that can't be summed out",
        "Discrete latents that observations or factors depend on are summed out, for which their values must be finitely many, and "
        "known beforehand.",
    ),
    Code(
        "E0802",
        "missing data that feed other statements",
        "Missing whole numbers that other statements read are summed out, which takes bounds.",
    ),
    Code(
        "E0804",
        "a variable partly drawn, partly computed",
        "This version needs all pieces of a variable to be drawn with `~`, or all to be set with `=`.",
    ),
    Code(
        "E0805",
        "a constrained vector whose density is not known",
        "An ordering of differently distributed elements, or a sum of zero of elements that are not normal alike, "
        "cuts off a part whose size depends on unknown values.",
    ),
    Code(
        "E0811",
        "too large a sum over discrete latents",
        "Statements that have several discrete elements in them couple these; the table over all of their values must be kept.",
    ),
    # -- E09 sub-models and imports
    Code("E0901", "an import of a file that is not there", "Files are looked up from the folder of the file that imports them."),
    Code("E0902", "files that import each other", "Imports go one way."),
    Code(
        "E0903",
        "an import of a program",
        "What can be imported holds models, functions, distributions and constants only; data, dims and draws of its own make a "
        "file a program.",
    ),
    Code("E0904", "a name from two imports", "Two imported files define it; `import … as …` tells them apart."),
    Code("E0905", "a model that draws from itself", "Models may use models, but not in a circle."),
    Code("E0906", "a model in an expression", "A model is drawn from by a statement of its own, `x ~ NAME(…)`."),
    Code(
        "E0907",
        "a model without a draw or a result",
        "A model draws something and ends in `return`. One without arguments may lack the `return`; it can't be drawn from.",
    ),
    Code(
        "E0908",
        "dims of a model that don't fit its use",
        "Dims that arguments or the result name are those of the use; further dims of the target are repetitions.",
    ),
    Code(
        "E0909",
        "a target that a model can't give",
        "Data can be drawn from a model that returns a variable with a distribution; types are written in the model.",
    ),
    Code(
        "E0910",
        "a model for a part of a variable",
        "Inner variables of a model must be defined everywhere, so a model fills a variable as a whole.",
    ),
    # -- E10 data
    Code("E1001", "data that are missing", "Data without a default that the program needs were not given."),
    Code(
        "E1002",
        "a name that the program does not know",
        "A key of the data, or a dim named in `sizes`, is not declared in the program.",
    ),
    Code(
        "E1003",
        "data with the wrong number of dims",
        "Data have as many axes as their declaration has dims: a list for `y[school]`.",
    ),
    Code(
        "E1004",
        "sizes that disagree",
        "Two data over one dim have different lengths, or the file, `sizes` or labels say otherwise.",
    ),
    Code(
        "E1005",
        "a dim whose size nobody gives",
        'No data run over the dim. Its size is given in the program, or as `sizes={"time": 30}`.',
    ),
    Code(
        "E1006",
        "data of the wrong kind",
        "Text or dates in place of numbers, fractions in place of whole numbers, or no array at all.",
    ),
    Code("E1007", "a value outside its type", "A value that the declared type excludes: a negative count."),
    Code(
        "E1008",
        "an index outside its dim",
        "Index data are positions from 0 to one less than the size of their dim, or labels.",
    ),
    Code(
        "E1009",
        "a missing or infinite value",
        "NaN, None, a masked or an infinite entry. Missing ones are allowed where the type has a `?`.",
    ),
    Code("E1010", "ragged data", "Lists inside a list that differ in length, or numbers beside lists."),
    Code("E1011", "empty data", "A dim holds at least one element."),
    Code(
        "E1012",
        "data that break their structure",
        "A simplex sums to 1, an ordered vector increases, a covariance matrix is positive definite.",
    ),
    Code(
        "E1013",
        "labels that disagree",
        "A label that its dim does not have, one that stands there twice, or two data labelled differently.",
    ),
    Code(
        "E1014",
        "data that their distribution can't give",
        "An observed value to which its distribution gives no density, such as 2 for a Bernoulli.",
    ),
    Code(
        "E1015",
        "data in a form that is not known",
        "Data are a dict, a pandas or polars frame, an xarray Dataset, or the path of a file of these.",
    ),
    Code(
        "E1016",
        "a table whose rows are no one dim",
        "The columns of a frame or a CSV or Parquet file are data over one dim, that of its rows.",
    ),
    Code(
        "E1017",
        "a missing entry that can't be inferred",
        "A missing entry has a distribution of its own, and a vector is missing as a whole or not at all.",
    ),
    Code(
        "E1018",
        "data that point forward",
        "A loop may use what data point to only where that is defined in an earlier round, as a parent before its children.",
    ),
    Code(
        "E1019",
        "times that go back",
        "The times of a differential equation ascend, from its start on. Equal times are fine.",
    ),
    # -- E11 fitting
    Code("E1101", "an unknown guide", "`guide=` is the name of a guide; docs/inference.md lists them."),
    Code(
        "E1102",
        "a density that is not finite",
        "Wherever the fit started, a value or a log density came out as nan or infinite. The message names the "
        "first statement that gave one, and what it was computed from.",
    ),
    Code(
        "E1103",
        "a gradient that is not finite",
        "A log density is finite, but its slope is not, so that no step can be taken: sqrt(0), for instance.",
    ),
    Code(
        "E1104",
        "values that `log_prob` can't take",
        "`fit.log_prob` takes a value of every latent, as one draw or as many with one leading axis.",
    ),
    Code(
        "E1105",
        "a fit that can't be refined so",
        "`fit.refine` draws by `nuts` or by `resample`, from the density of the data. A fit "
        "that was opened from a file may have none, and can't be refined, calibrated or compared then.",
    ),
    Code("E1106", "an unknown budget", "`budget=` is quick, normal or thorough: docs/trust.md says what they do."),
    Code(
        "E1107",
        "fits that can't be compared",
        "Leave-one-out predictions are compared entry by entry: all fits must observe the same variables with the same values.",
    ),
    Code(
        "E1108",
        "a calibration that can't be made",
        "A calibration draws latents and data from the program itself, which takes proper priors and observed variables.",
    ),
    Code(
        "E1109",
        "a batch that can't be drawn",
        "A fit in batches needs a dim along which every statement is about one entry by itself: no loop that carries values along "
        "it, no sum over all of it, no look at other entries, no missing data. What is computed from data alone may do as it "
        "likes.",
    ),
    Code(
        "E1110",
        "a posterior that is improper",
        "A flat prior leaves it to the data to say where a latent is. Where they say nothing about it, or nothing that tells it "
        "from another one, the posterior has no finite mass, and no draws.",
    ),
    Code(
        "E1190",
        "a simulation that needs data",
        "Observed data are used above the line that draws them, so that nothing can be drawn without them.",
    ),
    Code(
        "E1191",
        "a draw from an improper prior",
        "`Flat()` has no draws: a variable with a flat prior has a posterior, but no prior to simulate from.",
    ),
    # -- E12 files
    Code("E1201", "a file that does not exist", "No program or data file has this name."),
    Code(
        "E1202",
        "a file that can't be read",
        "It is a folder, not a text in UTF-8, or reading is not permitted.",
    ),
    Code(
        "E1203",
        "a file that can't be written",
        "The folder does not exist or writing is not permitted. `emf fit` looks before it fits.",
    ),
    Code(
        "E1204",
        "a data file of an unknown kind",
        "Data are read from .json, .npz, .csv and .parquet files; the ending says which.",
    ),
    Code("E1205", "a data file with something else in it", "Its content is not what its ending says."),
    Code("E1206", "a package that is not installed", "Some kinds of files need a package of their own."),
    Code(
        "E1207",
        "a file that is no saved fit",
        "`emfppl.open` reads what `fit.save` wrote; the file is something else, or it is damaged.",
    ),
    Code(
        "E1208",
        "a saved fit of a later version",
        "The file was written by a later emfppl, in a form that this one does not know.",
    ),
    # -- E13 arguments of calls
    Code(
        "E1301",
        "something that is no program",
        "A program is given as a path, the name of a file that ends in .emf, or a text of its own.",
    ),
    Code(
        "E1302",
        "an argument that a call can't take",
        "An argument of a Python call or of a command has the wrong type or is out of range.",
    ),
    # -- E14 translating a Stan program
    Code("E1401", "a text that is not Stan", "Stan's own compiler would not take the program either, or it includes other files."),
    Code(
        "E1402",
        "a part of Stan without counterpart",
        "Programs here draw and set each variable once; what is done step by step or until some condition has no place.",
    ),
    Code("E1403", "a name of Stan that is not known here", "A function or distribution that the translation does not know."),
    Code(
        "E1404",
        "a discrete variable summed out by hand",
        "Discrete variables are drawn in the open here, and the compiler sums them out.",
    ),
    Code(
        "E1405",
        "sizes that don't become dims",
        "Arrays line up by the names of their dims here, which come from the declared sizes; what is used together needs the same.",
    ),
    # -- E15 density estimators
    Code(
        "E1501",
        "a layer that does not exist",
        "The lines of a density block other than `data` and `conditioned_on` are layers of a flow, from noise to data.",
    ),
    Code("E1502", "an option of a layer", "A layer takes the options that docs/language.md lists, as numbers or words."),
    Code(
        "E1503",
        "a structured layer without a model",
        "`structured(NAME)` takes a model of the file: what the model samples is what the layer puts out.",
    ),
    Code(
        "E1504",
        "a model that can't be a layer",
        "A layer maps as many real numbers one to one as noise has: its model draws continuous variables, observes nothing and "
        "adds no factor.",
    ),
    Code(
        "E1505",
        "the event of a density",
        "`data` lines in a density block say what one sample is; without them it is what the "
        "structured layer next to the data draws.",
    ),
    Code(
        "E1506",
        "whole numbers in a density",
        "Whole numbers have no density. `dequantize`, the layer next to the data, adds uniform noise to them, which lets a flow "
        "bound the log probability from below.",
    ),
    Code(
        "E1507",
        "something that a density can't be conditioned on",
        "`conditioned_on` names data of the file, outside of the block, which come with each sample.",
    ),
    Code("E1508", "a density without layers", "A density block has at least one layer."),
    Code(
        "E1509",
        "a fit of a file that holds only densities",
        "`fit` finds the posterior of a program. A density estimator is trained on samples: `model.density(NAME).fit(x)`.",
    ),
    Code(
        "E1521",
        "an unknown density estimator",
        "`model.density(NAME)` and `--density NAME` name a `density` block of the file. In Python the name may be left out where "
        "there is one only.",
    ),
    Code(
        "E1522",
        "a sample on the edge of its type",
        "The map from the real line to a bounded type has no number that comes to a bound, such as 0 of a `nonnegative` "
        "variable, or 1 of a `unit` one.",
    ),
    Code("E1523", "too few samples", "A density estimator learns from most of its samples and is judged on the others."),
    Code(
        "E1524",
        "a density estimator that can't be trained",
        "The log density of samples held out is not finite, wherever training went: one of them may be far away from all others.",
    ),
    Code(
        "E1525",
        "coordinates that can't be held",
        "Some coordinates are drawn given others where every layer, from the data to the noise, keeps the known ones apart: an "
        "autoregressive layer those that come first in its order, and an elementwise one any.",
    ),
    Code(
        "E1526",
        "a model that is not as long as a sample",
        "Every layer of a density has as many numbers as one sample has, on the real line. So has the model of a structured layer.",
    ),
    # -- W01 lint
    Code("W0101", "an unused dim", "A dim is declared and not used."),
    Code("W0102", "unused data", "Data are declared and not used."),
    Code(
        "W0104",
        "a flat prior without data below it",
        "`Flat()` needs observations below it, or the posterior is improper.",
    ),
    Code(
        "W0105",
        "a scale that may be negative",
        "A latent stands where something positive is needed, but its support goes below 0.",
    ),
    Code(
        "W0106",
        "whole numbers from a continuous distribution",
        "Data declared int, count or bool are observed with a continuous distribution.",
    ),
    Code(
        "W0107",
        "data declared wider than their distribution",
        "The distribution gives some values of the declared type no density; a narrower type has the data checked.",
    ),
    Code(
        "W0108",
        "a size compared as if it were a position",
        "The name of a dim stands for its size. The position in a dim is the variable of a loop over it.",
    ),
    Code("W0109", "an unused argument", "A model has an argument that it does not use."),
    Code("W0110", "an unused model", "A program declares a model and draws nothing from it."),
    Code(
        "W0111",
        "a rate or scale that may be negative",
        "A sum or product of latents on the whole real line stands where something positive is needed: exp was meant.",
    ),
    Code(
        "W0112",
        "a precision as a standard deviation",
        "`Normal(0, 0.001)` is vague in BUGS, whose second argument is a precision; here it holds a latent at 0.",
    ),
    Code("W0113", "a factor that is constant", "A factor in which nothing is unknown changes no posterior."),
    Code(
        "W0114",
        "an equality of continuous values",
        "A latent on the real line equals a number with probability 0, so that the comparison is a constant.",
    ),
    Code(
        "W0115",
        "a probability that may leave 0 to 1",
        "A sum or product of latents on the whole real line stands where a probability is needed: logits were meant.",
    ),
    Code(
        "W0116",
        "a window beside another dim",
        "A window such as `x[t-7:t]` runs over the one dim that the file says to be as long; without such a dim it stays over its "
        "own, and a product with an array over another dim is over both.",
    ),
)
