import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ImageUp, X } from "lucide-react";
import { type FormEvent, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, body, type Schemas } from "@/api/client";
import { asApiError } from "@/api/errors";
import { useModels } from "@/api/queries";
import { IMAGE_TYPES, upload } from "@/api/uploads";
import { DropArea } from "@/components/drop-area";
import { Problem } from "@/components/problem";
import { Button } from "@/components/ui/button";
import { Field, Input, Select, Textarea } from "@/components/ui/field";
import { Checkbox, Segments } from "@/components/ui/inputs";
import { eachOf } from "@/lib/each-of";

const VIDEO_TYPES = { "video/mp4": [".mp4"], "video/quicktime": [".mov"] };

/** A new character, from pictures or one video of it. */
export const CharacterForm = ({ onDone }: { onDone: () => void }) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const models = useModels().data?.data.filter((model) => model.supports_lora) ?? [];
  const [name, setName] = useState("");
  const [model, setModel] = useState("");
  const [trigger, setTrigger] = useState("");
  const [source, setSource] = useState<"files" | "words">("files");
  const [description, setDescription] = useState("");
  const [inMotion, setInMotion] = useState(false);
  const [files, setFiles] = useState<readonly File[]>([]);
  const video = files.find((file) => file.type.startsWith("video/"));
  const images = files.filter((file) => file.type.startsWith("image/"));
  const make = async (material: Partial<Schemas["CharacterBody"]>) => {
    const named = { name: name.trim(), ...(model ? { model } : {}), ...(trigger.trim() ? { trigger: trigger.trim() } : {}) };
    return body(await api.POST("/v1/videos/characters", { body: { ...named, ...material } }));
  };
  const making = useMutation({
    meta: { shown: true },
    mutationFn: async () => {
      const sent: string[] = [];
      if (source === "words") return make({ description: description.trim() });
      await eachOf(video ? [video] : images, 4, async (file, index) => {
        sent[index] = await upload(file);
      });
      if (video) return make({ video: sent[0] ?? "" });
      return make({ images: sent, ...(inMotion ? { training: { camera_moves: "standard" } } : {}) });
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["get", "/v1/videos/characters"] });
      onDone();
    },
  });
  const error = making.error && asApiError(making.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <form onSubmit={submit} className="grid gap-5">
      <Field label={t("keys.name")} error={error?.param === "name" ? error.message : null}>
        {(control) => (
          <Input {...control} required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <Field label={t("create.model")} error={error?.param === "model" ? error.message : null}>
        {(control) => (
          <Select {...control} value={model} onChange={(event) => setModel(event.target.value)}>
            <option value="">{t("characters.defaultModel")}</option>
            {models.map((each) => (
              <option key={each.id} value={each.id}>
                {each.title}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label={t("characters.trigger")} hint={t("characters.triggerHint")} error={error?.param === "trigger" ? error.message : null}>
        {(control) => (
          <Input {...control} maxLength={60} value={trigger} onChange={(event) => setTrigger(event.target.value)} />
        )}
      </Field>
      <Segments
        label={t("characters.from")}
        value={source}
        onChange={setSource}
        choices={[
          { value: "files", label: t("characters.fromFiles") },
          { value: "words", label: t("characters.fromWords") },
        ]}
        className="justify-self-start"
      />
      {source === "words" && (
        <Field label={t("characters.description")} hint={t("characters.descriptionHint")}>
          {(control) => (
            <Textarea
              {...control}
              maxLength={800}
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
      )}
      {source === "files" && (
      <DropArea
        accept={{ ...IMAGE_TYPES, ...VIDEO_TYPES }}
        multiple
        icon={<ImageUp aria-hidden />}
        title={t("characters.drop")}
        hint={t("characters.kinds")}
        className="py-6"
        onFiles={(dropped) => setFiles([...files, ...dropped])}
      />
      )}
      {source === "files" && files.length > 0 && (
        <ul className="grid grid-cols-5 gap-2">
          {files.map((file, index) => (
            <Preview key={`${file.name}${index}`} file={file} onRemove={() => setFiles(files.filter((each) => each !== file))} />
          ))}
        </ul>
      )}
      {source === "files" && !video && (
        <div className="flex items-start gap-3">
          <Checkbox label={t("characters.inMotion")} checked={inMotion} onChange={setInMotion} />
          <div>
            <p className="text-sm font-medium">{t("characters.inMotion")}</p>
            <p className="text-sm text-quiet">{t("characters.inMotionHint")}</p>
          </div>
        </div>
      )}
      {error && !["name", "model", "trigger"].includes(error.param ?? "") && <Problem error={error} />}
      <Button type="submit" look="primary" disabled={!name.trim() || (source === "files" ? files.length === 0 : !description.trim()) || making.isPending}>
        {making.isPending ? t("create.image.sending") : t("characters.make")}
      </Button>
    </form>
  );
};

const Preview = ({ file, onRemove }: { file: File; onRemove: () => void }) => {
  const { t } = useTranslation();
  const url = useMemo(() => URL.createObjectURL(file), [file]);
  return (
    <li className="relative aspect-square overflow-hidden rounded-lg bg-raised">
      {file.type.startsWith("image/") ? (
        <img src={url} alt={file.name} className="size-full object-cover" />
      ) : (
        <span className="grid size-full place-items-center p-1 text-center text-xs break-all">{file.name}</span>
      )}
      <button
        type="button"
        aria-label={t("characters.removeFile", { name: file.name })}
        onClick={onRemove}
        className="absolute top-1 right-1 rounded-full bg-black/65 p-1 text-white"
      >
        <X className="size-3" />
      </button>
    </li>
  );
};
