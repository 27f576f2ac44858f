"""What a stand-in finds out about a model: plausible, complete, and the same whenever the same model is asked for."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

CREATED = 1_760_000_000
"""When results are said to be made, as a Unix time; a clock would make equal results differ."""

WELL_KNOWN = ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen2.5-7B-Instruct", "google/gemma-2-9b-it", "microsoft/phi-4")

# part of the name -> family, architecture, default author, license
_FAMILIES = {
    "llama": ("llama", "LlamaForCausalLM", "meta-llama", "llama3.1"),
    "qwen": ("qwen2", "Qwen2ForCausalLM", "Qwen", "apache-2.0"),
    "mistral": ("mistral", "MistralForCausalLM", "mistralai", "apache-2.0"),
    "mixtral": ("mixtral", "MixtralForCausalLM", "mistralai", "apache-2.0"),
    "gemma": ("gemma2", "Gemma2ForCausalLM", "google", "gemma"),
    "phi": ("phi3", "Phi3ForCausalLM", "microsoft", "mit"),
}
_OTHER = ("gpt2", "GPT2LMHeadModel", "unknown", "apache-2.0")
_ANY_USE, _SOME_USE = "Suits any use", "Suits most uses; read the terms before a commercial one"
_LICENSES = {
    "apache-2.0": ("Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0", "permissive", _ANY_USE),
    "mit": ("MIT License", "https://opensource.org/license/mit", "permissive", _ANY_USE),
    "gemma": ("Gemma Terms of Use", "https://ai.google.dev/gemma/terms", "restrictive", _SOME_USE),
    "llama3.1": ("Llama 3.1 Community License", "https://www.llama.com/llama3_1/license/", "restrictive", _SOME_USE),
}
# question, what speaks for yes, the impact under a permissive and under a restrictive license
_QUESTIONS = (
    ("Can the model be used commercially?", "The license grants use for any purpose", "POSITIVE", "POSITIVE"),
    ("Can the model be changed and passed on?", "The license grants making derivative works", "POSITIVE", "POSITIVE"),
    ("Is there a limit on the number of users?", "A large provider needs a license of its own", "POSITIVE", "NEGATIVE"),
    ("Do outputs belong to the user?", "The license claims no rights in outputs", "POSITIVE", "NEUTRAL"),
    ("Does the licensor give a warranty?", "The model is provided as it is", "NEGATIVE", "NEGATIVE"),
)
_BENCHMARKS = {
    "bcfl": "BFCL",
    "live_code_bench": "LiveCodeBench",
    "mmlu": "MMLU",
    "mmlu_pro": "MMLU Pro",
    "gpqa": "GPQA",
    "humaneval": "HumanEval",
    "lc_win_rate": "AlpacaEval LC win rate",
    "ugi_score": "UGI score",
}
_QUANTIZED = re.compile(r"gptq|awq|gguf|int[248]|fp8|bnb", re.IGNORECASE)
_TUNED = re.compile(r"instruct|chat|-it\b|finetun", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*b\b", re.IGNORECASE)
_SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
_UNSAFE = re.compile(r"unsafe|malicious|pickle", re.IGNORECASE)


def model_info(uri: str) -> dict[str, Any]:
    """Return all that is known of a model; its name decides on family, size, lineage and modality."""
    author, name = _author_and_name(uri)
    family = _family(name)[0]
    return {
        "author": author,
        "description": f"{name} is a model of the {family} family by {author}, for dialogue, reasoning and writing.",
        "uri": uri,
        "modality": _modality(name),
        "tags": [family, _modality(name), "text-generation", "safetensors"],
        "tasks": ["text-generation"],
        "papers": [_paper(family)],
        "github_url": f"https://github.com/{author}/{family}",
        "provider_url": f"https://huggingface.co/{author}",
        "website_url": f"https://{_slug(author)}.example.com",
        "license": _license(_family(name)[3]),
        "logo_url": f"https://{_slug(author)}.example.com/logo.png",
        "use_cases": ["Assistants that answer questions", "Summaries of long texts", "Drafting and rewriting"],
        "strengths": ["Follows instructions closely", "Handles long inputs"],
        "limitations": ["May state wrong facts with confidence", "Knows nothing after its training"],
        "model_tree": _lineage(author, name),
        "languages": ["en", "de", "fr", "es"],
        "architecture": _architecture(name),
        "extraction_status": "completed",
    }


def local_path(name: str, uri: str) -> str:
    """Return the folder of a model in the registry."""
    return f"{_slug(name)}_{_number(uri, 16**8):08x}"


def scan_result(path: str) -> dict[str, Any]:
    """Return what a scan finds: nothing, unless the path has `unsafe`, `malicious` or `pickle` in it."""
    issues = [_issue(path, severity) for severity in _SEVERITIES[1:]] if _UNSAFE.search(path) else []
    counts = {severity: sum(issue["severity"] == severity for issue in issues) for severity in _SEVERITIES}
    files = [f"{path}/{name}" for name in ("config.json", "model.safetensors")]
    return {
        "total_issues": len(issues),
        "total_issues_by_severity": counts,
        "total_scanned": len(files) + bool(issues),
        "total_skipped_files": 1,
        "scanned_files": [*files, *([f"{path}/pytorch_model.bin"] if issues else [])],
        "model_issues": issues,
    }


def license_details(source: str) -> dict[str, Any]:
    """Return what a license says; the source names it, or it is taken for Apache 2.0."""
    found = next((key for key in _LICENSES if key.split("-")[0] in source.lower()), "apache-2.0")
    known = _license(found)
    return {
        "name": known["name"],
        "type": known["type"],
        "type_description": known["description"],
        "type_suitability": known["suitability"],
        "faqs": known["faqs"],
    }


def benchmarks(uri: str) -> list[dict[str, Any]]:
    """Return how a model does in every benchmark."""
    return [
        {"eval_name": field, "eval_label": label, "eval_score": _score(uri, field)}
        for field, label in _BENCHMARKS.items()
    ]


def leaderboard(uri: str, fields: Sequence[str] | None = None) -> dict[str, Any]:
    """Return a row of the leaderboard, with all benchmarks or those that are asked for."""
    scores = {field: _score(uri, field) for field in (fields or _BENCHMARKS)}
    return {"uri": uri, "num_params": _parameters(_author_and_name(uri)[1]), **scores}


def _author_and_name(uri: str) -> tuple[str, str]:
    parts = [part for part in re.split(r"[/\\]", uri.partition("://")[2] or uri) if part]
    name = parts[-1].removesuffix(".zip") if parts else "model"
    return (parts[-2] if len(parts) > 1 else _family(name)[2]), name


def _family(name: str) -> tuple[str, str, str, str]:
    return next((facts for part, facts in _FAMILIES.items() if part in name.lower()), _OTHER)


def _modality(name: str) -> str:
    kinds = (("embed", "embedding"), ("whisper", "speech_to_text"), ("tts", "text_to_speech"))
    images = (("-vl", "mllm"), ("vision", "mllm"), ("diffusion", "image"))
    return next((kind for part, kind in (*kinds, *images) if part in name.lower()), "llm")


def _lineage(author: str, name: str) -> dict[str, Any]:
    quantized, adapter = bool(_QUANTIZED.search(name)), "lora" in name.lower()
    merged, tuned = "merge" in name.lower(), bool(_TUNED.search(name))
    finetune = tuned and not (quantized or adapter or merged)
    base = _QUANTIZED.sub("", _TUNED.sub("", re.sub(r"(?i)lora|merge", "", name))).strip("-_.")
    derived = quantized or adapter or merged or finetune
    return {
        "base_model": [f"{author}/{base or name}"] if derived else [],
        "is_finetune": finetune,
        "is_adapter": adapter,
        "is_quantization": quantized,
        "is_merge": merged,
    }


def _architecture(name: str) -> dict[str, Any]:
    family, kind, _, _ = _family(name)
    parameters, layers = _parameters(name), 32
    sees, hears = _modality(name) in {"mllm", "image"}, _modality(name) == "speech_to_text"
    text = {
        "num_layers": layers,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "context_length": 131072,
        "vocab_size": 128256,
        "torch_dtype": "bfloat16",
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0},
    }
    vision = {"num_layers": 24, "hidden_size": 1024, "intermediate_size": 4096, "torch_dtype": "bfloat16"}
    audio = {
        "num_layers": 32,
        "hidden_size": 1280,
        "num_attention_heads": 20,
        "num_mel_bins": 128,
        "sample_rate": 16000,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "torch_dtype": "float16",
    }
    return {
        "type": kind,
        "family": family,
        "num_params": parameters,
        "model_weights_size": parameters * (1 if _QUANTIZED.search(name) else 2),
        "kv_cache_size": layers * 8 * 128 * 2 * 2 * 131072,
        "text_config": text,
        "vision_config": vision if sees else None,
        "audio_config": audio if hears else None,
        "embedding_config": {"embedding_dimension": 1024} if _modality(name) == "embedding" else None,
        "classifier_config": None,
    }


def _parameters(name: str) -> int:
    size = _SIZE.search(name)
    return int(float(size[1]) * 1_000_000_000) if size else 1_000_000_000 * (1 + _number(name, 12))


def _paper(family: str) -> dict[str, Any]:
    number = f"23{_number(family, 12) + 1:02d}.{_number(family, 99999):05d}"
    title = f"The {family.capitalize()} Family of Models"
    return {"title": title, "authors": ["A. Author", "B. Author"], "url": f"https://arxiv.org/abs/{number}"}


def _license(key: str) -> dict[str, Any]:
    name, url, kind, suitability = _LICENSES[key]
    restrictive = kind == "restrictive"
    return {
        "id": None,
        "license_id": key,
        "name": name,
        "url": url,
        "faqs": [
            {"question": question, "reason": [reason], "impact": strict if restrictive else free}
            for question, reason, free, strict in _QUESTIONS
        ],
        "type": kind,
        "description": f"A {kind} license",
        "suitability": suitability,
        "is_extracted": True,
    }


def _issue(path: str, severity: str) -> dict[str, str]:
    return {
        "title": f"Unsafe operator, {severity.lower()}",
        "severity": severity,
        "description": "The file runs code of its own when it is loaded",
        "source": f"{path}/pytorch_model.bin",
    }


def _score(uri: str, field: str) -> float:
    return round(30 + _number(f"{uri} {field}", 6500) / 100, 2)


def _number(text: str, below: int) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % below


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"
