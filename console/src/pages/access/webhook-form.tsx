import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, api, body, type Schemas } from "@/api/client";
import { asApiError } from "@/api/errors";
import { Problem } from "@/components/problem";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { Checkbox } from "@/components/ui/inputs";

type Kind = Schemas["WebhookType"];
const USUAL: readonly Kind[] = ["video.completed", "video.failed", "video.cancelled"];

export const WebhookForm = ({ onDone }: { onDone: () => void }) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const known = $api.useQuery("get", "/v1/webhook_event_types");
  const [url, setUrl] = useState("");
  const [name, setName] = useState("");
  const [kinds, setKinds] = useState<readonly string[]>(USUAL);
  const making = useMutation({
    meta: { shown: true },
    mutationFn: async () =>
      body(
        await api.POST("/v1/webhooks", {
          body: { url: url.trim(), name: name.trim() || new URL(url).host, event_types: kinds as Kind[] },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["get", "/v1/webhooks"] }),
  });
  if (making.data?.signing_secret) return <SecretOnce secret={making.data.signing_secret} onDone={onDone} />;
  const error = making.error && asApiError(making.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <form onSubmit={submit} className="grid gap-5">
      <Field label="URL" hint={t("webhooks.urlHint")} error={error?.param === "url" ? error.message : null}>
        {(control) => (
          <Input
            {...control}
            type="url"
            required
            placeholder="https://example.com/hooks/video"
            value={url}
            onChange={(event) => setUrl(event.target.value)}
          />
        )}
      </Field>
      <Field label={t("keys.name")} error={error?.param === "name" ? error.message : null}>
        {(control) => <Input {...control} maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <fieldset className="grid gap-2 sm:grid-cols-2">
        <legend className="mb-2 text-sm font-medium">{t("webhooks.events")}</legend>
        {(known.data?.data ?? USUAL).map((kind) => (
          <div key={kind} className="flex items-center gap-2.5 text-sm">
            <Checkbox
              label={kind}
              checked={kinds.includes(kind)}
              onChange={(on) => setKinds(on ? [...kinds, kind] : kinds.filter((each) => each !== kind))}
            />
            <span aria-hidden className="font-mono text-xs">
              {kind}
            </span>
          </div>
        ))}
      </fieldset>
      {error && error.param !== "url" && error.param !== "name" && <Problem error={error} />}
      <Button type="submit" look="primary" disabled={!url || kinds.length === 0 || making.isPending}>
        {t("webhooks.make")}
      </Button>
    </form>
  );
};
