import { Ban, Clock, Coins, Film, Image, Layers, Scale, Type, Users } from "lucide-react";
import { RadioGroup } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Model } from "@/api/client";
import { Badge, type Tone } from "@/components/ui/display";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { span, usd } from "@/lib/format";
import { seconds } from "@/pages/create/draft";

const licenceTone: Record<string, Tone> = { allowed: "good", conditional: "warn", forbidden: "bad" };

const Abilities = ({ model }: { model: Model }) => {
  const { t } = useTranslation();
  const found = [
    model.tasks.includes("text-to-video") && { icon: <Type />, text: t("create.tasks.text") },
    model.tasks.includes("image-to-video") && { icon: <Image />, text: t("create.tasks.image") },
    model.multi_shot === "native" && { icon: <Layers />, text: t("create.tasks.native") },
    model.supports_lora && { icon: <Users />, text: t("create.tasks.characters") },
  ].filter((each) => each !== false);
  return (
    <ul className="flex flex-wrap gap-x-3 gap-y-1 text-xs text-quiet">
      {found.map(({ icon, text }) => (
        <li key={text} className="flex items-center gap-1 [&_svg]:size-3.5">
          {icon}
          {text}
        </li>
      ))}
    </ul>
  );
};

const Figures = ({ model }: { model: Model }) => {
  const { t } = useTranslation();
  const { typical } = model;
  const length = span(seconds(model.default_num_frames, model.fps));
  return (
    <dl className="numbers grid grid-cols-3 gap-2 text-xs [&_dt]:sr-only [&_dd]:flex [&_dd]:items-center [&_dd]:gap-1 [&_svg]:size-3.5 [&_svg]:shrink-0 [&_svg]:text-quiet">
      <div title={t("create.figures.video")}>
        <dt>{t("create.figures.video")}</dt>
        <dd>
          <Film aria-hidden />
          {length} · {model.default_size.replace("x", "×")}
        </dd>
      </div>
      <div title={t("create.figures.time", { slot: typical.slot })}>
        <dt>{t("create.figures.time", { slot: typical.slot })}</dt>
        <dd className="justify-center">
          <Clock aria-hidden />
          {span(typical.compute_seconds)}
        </dd>
      </div>
      <div title={t("create.figures.cost")}>
        <dt>{t("create.figures.cost")}</dt>
        <dd className="justify-end">
          <Coins aria-hidden />
          {typical.cost_usd == null ? t("create.figures.noPrice") : usd(typical.cost_usd)}
        </dd>
      </div>
    </dl>
  );
};

const ModelCard = ({ model }: { model: Model }) => {
  const { t } = useTranslation();
  const { licence } = model;
  const use = licence.commercial_use as "allowed" | "conditional" | "forbidden";
  return (
    <RadioGroup.Item
      value={model.id}
      aria-label={model.title}
      aria-describedby={`${model.id}-facts`}
      className={cn(
        "grid content-between gap-3 rounded-2xl border bg-surface p-4 text-left transition-colors hover:border-control",
        "data-[state=checked]:border-accent data-[state=checked]:bg-accent-soft/50 data-[state=checked]:ring-1 data-[state=checked]:ring-accent",
      )}
    >
      <span className="flex items-start justify-between gap-2">
        <span className="font-semibold tracking-tight">{model.title}</span>
        <Badge tone={licenceTone[use] ?? "neutral"} title={`${licence.name}. ${licence.note}`}>
          <Scale aria-hidden className="size-3" />
          {t(`create.licence.${use}`)}
        </Badge>
      </span>
      <span id={`${model.id}-facts`} className="grid gap-3">
        <Abilities model={model} />
        <Figures model={model} />
        {model.runnable === false && (
          <span className="flex items-start gap-1.5 text-xs text-warn">
            <Ban aria-hidden className="mt-px size-3.5 shrink-0" />
            <span className="break-words">{model.reason}</span>
          </span>
        )}
      </span>
    </RadioGroup.Item>
  );
};

type Props = { models: Model[]; value: string; onChange: (id: string) => void };

/** Models that the fleet can run first; the others stand behind a button, with the reason. */
export const ModelPicker = ({ models, value, onChange }: Props) => {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const able = models.filter((model) => model.runnable !== false || model.id === value);
  const unable = models.filter((model) => model.runnable === false && model.id !== value);
  const shown = all || able.length === 0 ? [...able, ...unable] : able;
  const chosen = models.find((model) => model.id === value);
  return (
    <div className="grid gap-3">
      <RadioGroup.Root
        aria-label={t("create.model")}
        value={value}
        onValueChange={onChange}
        className="grid gap-3 sm:grid-cols-2 2xl:grid-cols-3"
      >
        {shown.map((model) => (
          <ModelCard key={model.id} model={model} />
        ))}
      </RadioGroup.Root>
      <div className="flex flex-wrap items-center justify-between gap-2 text-xs text-quiet">
        {chosen && (
          <p className="min-w-0 flex-1">
            <a href={chosen.licence.url} target="_blank" rel="noreferrer" className="underline underline-offset-2">
              {chosen.licence.name}
            </a>
            {chosen.licence.note && `: ${chosen.licence.note}`}
          </p>
        )}
        {able.length > 0 && unable.length > 0 && (
          <Button look="ghost" size="small" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? t("create.fewerModels") : t("create.moreModels", { count: unable.length })}
          </Button>
        )}
      </div>
    </div>
  );
};
