"""How certain scores are, worked out by PostgreSQL (`interval_crud`).

A score is the share of a dataset's questions that a model answered right, in percent: another draw of as many questions
would have given another one. Each interval holds the true share in 95 of 100 such draws (frequentist):

- of one dataset: Wilson's score interval (E. B. Wilson, 1927, J. Am. Stat. Assoc. 22, 209-212), which holds for few
  questions and for shares near 0 and 100, too;
- of the mean over several datasets: the limits of these, put together by MOVER (G. Y. Zou and A. Donner, 2008,
  Stat. Med. 27, 1693-1702);
- of the difference between two deployments: Newcombe's hybrid score interval (R. G. Newcombe, 1998, Stat. Med. 17,
  873-890, method 10), as for independent questions: both answer the same ones, so it is wider than it need be.

Runs of the same dataset with the same deployment are averaged, and count as one draw: they ask the same questions.
"""

CONFIDENCE_LEVEL = 0.95
INTERVAL = "Wilson score interval (Wilson 1927)"
MEAN_INTERVAL = "MOVER with Wilson limits (Zou and Donner 2008)"
DIFFERENCE_INTERVAL = "Newcombe hybrid score interval, method 10 (Newcombe 1998)"
