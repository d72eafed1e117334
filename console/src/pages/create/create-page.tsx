import { getRouteApi } from "@tanstack/react-router";
import { Image, Layers, Type } from "lucide-react";
import { type KeyboardEvent, lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { useModels } from "@/api/queries";
import { Problem } from "@/components/problem";
import { Page, Skeleton } from "@/components/ui/display";
import { Segments } from "@/components/ui/inputs";
import { DerivePage } from "@/pages/create/derive-page";
import { type Draft, does, type Mode } from "@/pages/create/draft";
import { ModelPicker } from "@/pages/create/model-picker";
import { PromptField } from "@/pages/create/prompt-field";
import { QuotePanel } from "@/pages/create/quote-panel";
import { Settings } from "@/pages/create/settings";
import { type Composer, useComposer } from "@/pages/create/use-composer";

// What drags and drops is fetched where there is something to drag: the first load does without it.
const ImageDrop = lazy(async () => ({ default: (await import("@/pages/create/image-drop")).ImageDrop }));
const ShotList = lazy(async () => ({ default: (await import("@/pages/create/shot-list")).ShotList }));

const route = getRouteApi("/");

export const CreatePage = () => {
  const { from, as } = route.useSearch();
  return from ? <DerivePage key={`${from}${as}`} videoId={from} kind={as ?? "remix"} /> : <Compose />;
};

const Compose = () => {
  const { t } = useTranslation();
  const models = useModels();
  const composer = useComposer(models.data?.data ?? []);
  const submitByKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    // Taken on the way in: a shot's handle or a button that has the focus would act on Enter as well.
    event.preventDefault();
    event.stopPropagation();
    if (composer.ready) composer.submit();
  };
  return (
    <Page title={t("create.title")} hint={t("create.hint")} aside={<Modes composer={composer} />}>
      {models.error && !models.data && <Problem error={models.error} onRetry={() => models.refetch()} />}
      {models.isPending && <Skeleton className="h-96" />}
      {models.data && (
        <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_20rem]" onKeyDownCapture={submitByKey}>
          <Form composer={composer} />
          <div className="lg:sticky lg:top-4">
            <QuotePanel
              quote={composer.quote.data}
              error={composer.problem}
              missing={composer.missing && t(`create.missing.${composer.missing}`)}
              fresh={composer.fresh}
              sending={composer.sending}
              onSubmit={composer.submit}
            />
          </div>
        </div>
      )}
    </Page>
  );
};

const Modes = ({ composer }: { composer: Composer }) => {
  const { t } = useTranslation();
  const choices = [
    { value: "text", label: t("create.modes.text"), icon: <Type /> },
    { value: "image", label: t("create.modes.image"), icon: <Image /> },
    { value: "shots", label: t("create.modes.shots"), icon: <Layers /> },
  ] as const satisfies readonly { value: Mode; label: string; icon: unknown }[];
  return (
    <Segments
      label={t("create.modes.label")}
      value={composer.draft.mode}
      choices={choices}
      onChange={(mode) => composer.change({ mode })}
    />
  );
};

const Form = ({ composer }: { composer: Composer }) => {
  const { t } = useTranslation();
  const { draft, model, models, change, errorAt } = composer;
  const update = (part: Partial<Draft>) => change(part);
  return (
    <div className="grid min-w-0 gap-8">
      {draft.mode === "image" && (
        <Suspense fallback={<Skeleton className="h-44" />}>
          <ImageDrop picture={draft.picture} error={errorAt("image")} onChange={(picture) => update({ picture })} />
        </Suspense>
      )}
      <PromptField
        {...(draft.mode === "shots" ? { label: t("create.scene"), hint: t("create.sceneHint"), rows: 2 } : {})}
        value={draft.prompt}
        model={model}
        error={errorAt("prompt")}
        onChange={(prompt) => update({ prompt })}
      />
      {model && draft.mode === "shots" && (
        <Suspense fallback={<Skeleton className="h-80" />}>
          <ShotList draft={draft} model={model} errorAt={errorAt} onChange={update} />
        </Suspense>
      )}
      <section aria-labelledby="model-title">
        <h2 id="model-title" className="mb-3 text-base font-semibold tracking-tight">
          {t("create.model")}
        </h2>
        <ModelPicker
          models={models.filter((each) => does(each, draft.mode))}
          value={model?.id ?? ""}
          onChange={composer.choose}
        />
        {errorAt("model") && (
          <p role="alert" className="mt-2 text-sm text-bad">
            {errorAt("model")}
          </p>
        )}
      </section>
      {model && <Settings draft={draft} model={model} errorAt={errorAt} onChange={update} />}
    </div>
  );
};
