import { ChevronDown, Dices } from "lucide-react";
import { Collapsible } from "radix-ui";
import { Link } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import { useTranslation } from "react-i18next";
import type { Model, Schemas } from "@/api/client";
import { useCharacters } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Field, Input, Select, Textarea } from "@/components/ui/field";
import { Checkbox, Segments, Slider } from "@/components/ui/inputs";
import { number, span } from "@/lib/format";
import { type Cast, type Draft, seconds, takesCharactersOf } from "@/pages/create/draft";

type Props = {
  draft: Draft;
  model: Model;
  errorAt: (param: string) => string | undefined;
  onChange: (change: Partial<Draft>) => void;
};

const ratio = (size: string) => {
  const [width = 1, height = 1] = size.split("x").map(Number);
  return { width, height };
};

/** A size as the shape it has. */
const SizeIcon = ({ size }: { size: string }) => {
  const { width, height } = ratio(size);
  const scale = 16 / Math.max(width, height);
  return (
    <span aria-hidden className="grid size-4 place-items-center">
      <span className="rounded-[3px] border-[1.5px] border-current" style={{ width: width * scale, height: height * scale }} />
    </span>
  );
};

export const Settings = ({ draft, model, errorAt, onChange }: Props) => {
  const { t } = useTranslation();
  const rule = model.frames;
  const length = span(seconds(draft.frames, model.fps));
  return (
    <div className="grid gap-5">
      <fieldset className="grid gap-2">
        <legend className="mb-2 text-sm font-medium">{t("create.size")}</legend>
        <Segments
          label={t("create.size")}
          value={draft.size}
          onChange={(size) => onChange({ size })}
          choices={model.sizes.map((size) => ({
            value: size,
            label: size.replace("x", " × "),
            icon: <SizeIcon size={size} />,
          }))}
        />
      </fieldset>
      <div className="grid gap-5 sm:grid-cols-2">
        {draft.mode !== "shots" && (
          <div>
            <div className="mb-1 flex justify-between text-sm">
              <span className="font-medium">{t("create.length")}</span>
              <span className="numbers text-quiet">
                {length} · {t("create.frames", { count: draft.frames })}
              </span>
            </div>
            <Slider
              label={t("create.length")}
              value={draft.frames}
              min={rule.min}
              max={rule.max}
              step={rule.step}
              text={length}
              onChange={(frames) => onChange({ frames })}
            />
          </div>
        )}
        <div>
          <div className="mb-1 flex justify-between text-sm">
            <span className="font-medium">{t("create.steps")}</span>
            <span className="numbers text-quiet">{number(draft.steps)}</span>
          </div>
          <Slider
            label={t("create.steps")}
            value={draft.steps}
            min={model.min_num_inference_steps}
            max={model.max_num_inference_steps}
            step={1}
            text={number(draft.steps)}
            onChange={(steps) => onChange({ steps })}
          />
        </div>
        <Field label={t("create.seed")} hint={t("create.seedHint")} error={errorAt("seed") ?? null}>
          {(control) => (
            <div className="flex gap-2">
              <OptionalNumber
                {...control}
                min={0}
                value={draft.seed}
                placeholder={t("create.seedAny")}
                onNumber={(seed) => onChange({ seed })}
              />
              <Button
                size="icon"
                className="size-10"
                aria-label={t("create.dice")}
                onClick={() => onChange({ seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0 })}
              >
                <Dices />
              </Button>
            </div>
          )}
        </Field>
        <Characters draft={draft} model={model} onChange={onChange} />
      </div>
      <Advanced draft={draft} model={model} errorAt={errorAt} onChange={onChange} />
    </div>
  );
};

type OptionalNumberProps = Omit<ComponentProps<typeof Input>, "type" | "value" | "onChange"> & {
  value: number | null;
  onNumber: (value: number | null) => void;
};

/** A number that can be left out. */
const OptionalNumber = ({ value, onNumber, ...rest }: OptionalNumberProps) => (
  <Input
    {...rest}
    type="number"
    value={value ?? ""}
    onChange={(event) => onNumber(event.target.value === "" ? null : event.target.valueAsNumber)}
  />
);

const Characters = ({ draft, model, onChange }: Omit<Props, "errorAt">) => {
  const { t } = useTranslation();
  const ready = (useCharacters().data?.data ?? []).flatMap(({ id, name, lora, model: trainedFor }) =>
    lora !== null && takesCharactersOf(model, trainedFor) ? [{ id, name, cast: { lora, model: trainedFor } }] : [],
  );
  const chosen = (cast: Cast) => draft.characters.some((each) => each.lora === cast.lora);
  const toggle = (cast: Cast, on: boolean) =>
    onChange({ characters: [...draft.characters.filter((each) => each.lora !== cast.lora), ...(on ? [cast] : [])] });
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-medium">{t("nav.characters")}</legend>
      {!model.supports_lora && <p className="text-xs text-quiet">{t("create.noCharacters")}</p>}
      {model.supports_lora && ready.length === 0 && (
        <p className="text-xs text-quiet">
          {t("create.noneReady")}{" "}
          <Link to="/characters" className="text-accent underline underline-offset-2">
            {t("create.makeOne")}
          </Link>
        </p>
      )}
      <div className="grid gap-2">
        {ready.map(({ id, name, cast }) => (
          <div key={id} className="flex items-center gap-2 text-sm">
            <Checkbox label={name} checked={chosen(cast)} onChange={(on) => toggle(cast, on)} />
            <span aria-hidden>{name}</span>
          </div>
        ))}
      </div>
    </fieldset>
  );
};

const Advanced = ({ draft, model, errorAt, onChange }: Props) => {
  const { t } = useTranslation();
  return (
    <Collapsible.Root className="rounded-2xl border bg-surface">
      <Collapsible.Trigger className="group flex w-full items-center justify-between rounded-2xl px-4 py-3 text-sm font-medium">
        {t("create.advanced")}
        <ChevronDown className="size-4 transition-transform group-data-[state=open]:rotate-180" />
      </Collapsible.Trigger>
      <Collapsible.Content className="grid gap-5 border-t p-4 sm:grid-cols-2">
        {model.supports_negative_prompt && (
          <Field label={t("create.negative")} error={errorAt("negative_prompt") ?? null} className="sm:col-span-2">
            {(control) => (
              <Textarea
                {...control}
                className="min-h-16"
                value={draft.negative}
                placeholder={t("create.negativeHint")}
                onChange={(event) => onChange({ negative: event.target.value })}
              />
            )}
          </Field>
        )}
        <Field label={t("create.guidance")} error={errorAt("guidance_scale") ?? null}>
          {(control) => (
            <OptionalNumber
              {...control}
              step={0.1}
              min={0}
              placeholder={number(model.default_guidance_scale, 1)}
              value={draft.guidance}
              onNumber={(guidance) => onChange({ guidance })}
            />
          )}
        </Field>
        {model.schedulers.length > 1 && (
          <Field label={t("create.scheduler")} error={errorAt("scheduler") ?? null}>
            {(control) => (
              <Select
                {...control}
                value={draft.scheduler ?? ""}
                onChange={(event) => onChange({ scheduler: event.target.value || null })}
              >
                <option value="">{t("create.asPublished")}</option>
                {model.schedulers.map((each) => (
                  <option key={each} value={each}>
                    {each}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        )}
        {model.takes_flow_shift && (
          <Field label={t("create.flowShift")} error={errorAt("flow_shift") ?? null}>
            {(control) => (
              <OptionalNumber
                {...control}
                step={0.5}
                min={0.5}
                max={100}
                placeholder={t("create.asPublished")}
                value={draft.flowShift}
                onNumber={(flowShift) => onChange({ flowShift })}
              />
            )}
          </Field>
        )}
        <Field label={t("create.priority")}>
          {(control) => (
            <Select
              {...control}
              value={draft.priority}
              onChange={(event) => onChange({ priority: event.target.value as Draft["priority"] })}
            >
              {(["low", "normal", "high"] as const).map((each) => (
                <option key={each} value={each}>
                  {t(`create.priorities.${each}`)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Output draft={draft} onChange={onChange} />
      </Collapsible.Content>
    </Collapsible.Root>
  );
};

const CODECS: readonly Schemas["OutputBody"]["codec"][] = ["h264", "h265", "prores"];
const FACTORS = [1, 2, 4] as const;

const Output = ({ draft, onChange }: Pick<Props, "draft" | "onChange">) => {
  const { t } = useTranslation();
  return (
    <div className="grid gap-5 sm:col-span-2 sm:grid-cols-3">
      <Field label={t("create.codec")}>
        {(control) => (
          <Select
            {...control}
            value={draft.codec}
            onChange={(event) => onChange({ codec: event.target.value as Draft["codec"] })}
          >
            {CODECS.map((each) => (
              <option key={each} value={each}>
                {t(`create.codecs.${each ?? "h264"}`)}
              </option>
            ))}
          </Select>
        )}
      </Field>
      {(["upscale", "interpolate"] as const).map((name) => (
        <Field key={name} label={t(`create.${name}`)}>
          {(control) => (
            <Select
              {...control}
              value={draft[name]}
              onChange={(event) => onChange({ [name]: Number(event.target.value) as 1 | 2 | 4 })}
            >
              {FACTORS.map((factor) => (
                <option key={factor} value={factor}>
                  {factor === 1 ? t("create.asMade") : `× ${factor}`}
                </option>
              ))}
            </Select>
          )}
        </Field>
      ))}
    </div>
  );
};
