"""What is the same for all tenants: what is here already under the same name is taken for the old row."""

from budapp.asset_ops.models import Icon
from budapp.billing_ops.models import BillingPlan
from budapp.cloud_provider_ops.models import CloudProvider
from budapp.dataset_ops.models import BenchmarkDataset
from budapp.evaluation_ops.models import EvalDataset, EvalDatasetVersion, EvalTrait, EvalTraitDataset
from budapp.legacy_ops.declarations import Move, NoHome, Old, Ref, either, marks, texts
from budapp.provider_ops.models import CloudModel, Provider
from budapp.quantization_ops.models import QuantizationMethod
from budapp.template_ops.models import ModelTemplate

_LISTS = (
    *("language", "domains", "concepts", "humans_vs_llm_qualifications", "task_type", "modalities"),
    *("why_run_this_eval", "what_to_expect", "metrics"),
)
_OBJECTS = ("meta_links", "sample_questions_answers", "advantages_disadvantages", "eval_types", "additional_info")


def _current(old: Old) -> bool:
    return bool(old["newest"] == old["id"])


MOVES = (
    Move("icon", Icon, natural=("file_path",)),
    Move("billing_plans", BillingPlan, natural=("name",)),
    Move("provider", Provider, natural=("type",)),
    Move(
        "cloud_model",
        CloudModel,
        refs={"provider_id": Ref("provider")},
        columns={"tags": marks("tags"), "tasks": marks("tasks")},
        natural=("uri",),
    ),
    Move("cloud_providers", CloudProvider, natural=("unique_id",)),
    Move("model_template", ModelTemplate, natural=("name",)),
    Move("quantization_method", QuantizationMethod, natural=("name",)),
    Move("dataset", BenchmarkDataset, columns={"columns": lambda old: old["columns"]}, natural=("name",)),
    Move(
        "exp_traits",
        EvalTrait,
        extra={"position": "(select count(*) from public.exp_traits o where o.created_at < t.created_at)"},
        natural=("name",),
    ),
    Move(
        "exp_datasets",
        EvalDataset,
        columns={name: texts(name) for name in _LISTS} | {name: either(name, {}) for name in _OBJECTS},
        natural=("name",),
    ),
    Move(
        "exp_dataset_versions",
        EvalDatasetVersion,
        refs={"dataset_id": Ref("exp_datasets")},
        extra={
            "newest": "(select o.id from public.exp_dataset_versions o where o.dataset_id = t.dataset_id"
            " order by o.created_at desc, o.id desc limit 1)"
        },
        columns={"is_current": _current},
        natural=("dataset_id", "version"),
    ),
    Move(
        "exp_traits_dataset_pivot",
        EvalTraitDataset,
        refs={"trait_id": Ref("exp_traits"), "dataset_id": Ref("exp_datasets")},
        natural=("trait_id", "dataset_id"),
    ),
)

NO_HOME = (
    NoHome("exp_models", "models that are evaluated are those of the model table here; this one was not used"),
    NoHome("eval_sync_state", "the datasets for evaluations are read anew from the manifest: budapp evaluations sync"),
)
