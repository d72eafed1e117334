import type { Model, RequestBody, Schemas } from "@/api/client";

export type Mode = "text" | "image" | "shots";
export type Shot = { id: string; prompt: string; frames: number };
export type Picture = { uploadId: string; name: string; preview: string };
/** A character that is ready: the LoRA that requests name, and the model that it was trained for. */
export type Cast = { lora: string; model: string };
export type Draft = {
  mode: Mode;
  prompt: string;
  negative: string;
  shots: Shot[];
  continuity: "cut" | "chain";
  picture: Picture | null;
  size: string;
  frames: number;
  steps: number;
  guidance: number | null;
  scheduler: string | null;
  flowShift: number | null;
  seed: number | null;
  priority: "low" | "normal" | "high";
  codec: Schemas["OutputBody"]["codec"];
  upscale: 1 | 2 | 4;
  interpolate: 1 | 2 | 4;
  characters: Cast[];
};

export const EMPTY: Draft = {
  mode: "text",
  prompt: "",
  negative: "",
  shots: [],
  continuity: "cut",
  picture: null,
  size: "",
  frames: 0,
  steps: 0,
  guidance: null,
  scheduler: null,
  flowShift: null,
  seed: null,
  priority: "normal",
  codec: "h264",
  upscale: 1,
  interpolate: 1,
  characters: [],
};

/** Whether the model can be asked for what this mode is about. */
export const does = (model: Model, mode: Mode): boolean => {
  if (mode === "image") return model.tasks.includes("image-to-video");
  if (mode === "shots") return model.max_shots > 1 && model.tasks.some((task) => task !== "image-to-video");
  return model.tasks.includes("text-to-video") || model.tasks.includes("multi-shot");
};

/** Whether a character of `trainedFor` can appear in the model's videos. */
export const takesCharactersOf = (model: Model, trainedFor: string): boolean =>
  model.supports_lora && (trainedFor === model.id || trainedFor === model.takes_loras_of);

/** The draft with what the model does not take replaced by the model's own defaults. */
export const fitted = (draft: Draft, model: Model): Draft => {
  const { frames: rule } = model;
  const admitted = (count: number) =>
    count >= rule.min && count <= rule.max && (count - rule.offset) % rule.step === 0;
  return {
    ...draft,
    size: model.sizes.includes(draft.size) ? draft.size : model.default_size,
    frames: admitted(draft.frames) ? draft.frames : model.default_num_frames,
    steps:
      draft.steps >= model.min_num_inference_steps && draft.steps <= model.max_num_inference_steps
        ? draft.steps
        : model.default_num_inference_steps,
    scheduler: draft.scheduler !== null && model.schedulers.includes(draft.scheduler) ? draft.scheduler : null,
    flowShift: model.takes_flow_shift ? draft.flowShift : null,
    characters: draft.characters.filter((each) => takesCharactersOf(model, each.model)),
    negative: model.supports_negative_prompt ? draft.negative : "",
    continuity: model.multi_shot === "native" ? "cut" : draft.continuity,
    shots: draft.shots.map((shot, index) => ({ ...shot, frames: shotFrames(model, shot.frames, index) })),
  };
};

/** Frames by which shots grow and shrink, and the least that the shot at `index` may have. */
export const shotRule = (model: Model, index: number): { step: number; min: number; max: number } => {
  const { step, offset, min, max } = model.frames;
  if (model.multi_shot !== "native") return { step, min, max };
  // One pass makes all shots: a cut falls between latent frames, and the whole is what has a limit.
  return { step, min: step + (index === 0 ? offset : 0), max };
};

const shotFrames = (model: Model, wanted: number, index: number): number => {
  const { step, min, max } = shotRule(model, index);
  const clamped = Math.min(max, Math.max(min, wanted));
  return min + Math.floor((clamped - min) / step) * step;
};

/** A shot to add: as long as an even share of the model's usual video. */
export const newShot = (model: Model, index: number): Shot => {
  const share = model.multi_shot === "native" ? Math.floor(model.default_num_frames / 3) : model.default_num_frames;
  return { id: crypto.randomUUID(), prompt: "", frames: shotFrames(model, share, index) };
};

export const totalFrames = (draft: Draft): number =>
  draft.mode === "shots" ? draft.shots.reduce((sum, shot) => sum + shot.frames, 0) : draft.frames;

export const seconds = (frames: number, fps: number): number => Math.max(0, frames - 1) / fps;

/** What is sent; null while something that cannot be left out is missing. */
export const bodyOf = (draft: Draft, model: Model): RequestBody | null => {
  const base = {
    model: model.id,
    size: draft.size,
    num_inference_steps: draft.steps,
    priority: draft.priority,
    output: { codec: draft.codec, upscale: draft.upscale, interpolate: draft.interpolate },
    continuity: "cut",
    ...(draft.negative.trim() ? { negative_prompt: draft.negative } : {}),
    ...(draft.guidance === null ? {} : { guidance_scale: draft.guidance }),
    ...(draft.scheduler === null ? {} : { scheduler: draft.scheduler }),
    ...(draft.flowShift === null ? {} : { flow_shift: draft.flowShift }),
    ...(draft.seed === null ? {} : { seed: draft.seed }),
    ...(draft.characters.length ? { loras: draft.characters.map(({ lora }) => ({ name: lora, scale: 1 })) } : {}),
  } satisfies Partial<RequestBody>;
  if (draft.mode === "shots") {
    if (draft.shots.length === 0 || draft.shots.some((shot) => !shot.prompt.trim())) return null;
    // One pass over all shots begins with the scene's own text; shots made one by one can do without.
    if (model.multi_shot === "native" && !draft.prompt.trim()) return null;
    const scene = draft.prompt.trim() ? { prompt: draft.prompt.trim() } : {};
    const shots = draft.shots.map((shot) => ({ prompt: shot.prompt.trim(), num_frames: shot.frames }));
    return { ...base, ...scene, shots, continuity: draft.continuity };
  }
  if (!draft.prompt.trim()) return null;
  if (draft.mode === "image" && !draft.picture) return null;
  const image = draft.mode === "image" && draft.picture ? { image: draft.picture.uploadId } : {};
  return { ...base, ...image, prompt: draft.prompt.trim(), num_frames: draft.frames };
};

/** About how many tokens a text is: SentencePiece models cut words of European languages every four to five letters. */
export const aboutTokens = (text: string): number => {
  const parts = text.trim().match(/[\p{L}\p{M}]+|\p{N}|[^\s\p{L}\p{M}\p{N}]/gu) ?? [];
  const pieces = parts.reduce((sum, part) => sum + Math.max(1, Math.ceil(part.length / 5)), 0);
  return parts.length === 0 ? 0 : pieces + 1;
};
