import { useMutation } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { asApiError } from "@/api/errors";
import { signIn, useSession } from "@/api/session";
import { LanguageMenu, ThemeMenu } from "@/components/preferences";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/display";
import { Field, Input } from "@/components/ui/field";
import { Checkbox } from "@/components/ui/inputs";
import { explain } from "@/lib/explain";

/** The way in: a key is tried before it is kept, on this device only. */
export const Login = ({ onDone }: { onDone?: () => void }) => {
  const { t } = useTranslation();
  const { refused } = useSession();
  const [key, setKey] = useState("");
  const [name, setName] = useState("");
  const [remembered, setRemembered] = useState(false);
  const attempt = useMutation({
    meta: { shown: true },
    mutationFn: () =>
      api.GET("/v1/videos", { params: { query: { limit: 1 } }, headers: { authorization: `Bearer ${key.trim()}` } }),
    onSuccess: () => {
      signIn({ name: name.trim() || t("login.defaultName"), key: key.trim(), remembered });
      onDone?.();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt.mutate();
  };
  const problem = attempt.error && explain(asApiError(attempt.error), t);
  return (
    <form onSubmit={submit} className="grid gap-4">
      {refused && !attempt.error && (
        <Notice tone="warn" title={t("login.refused")}>
          {t("login.refusedHint")}
        </Notice>
      )}
      <Field label={t("login.key")} hint={t("login.keyHint")} error={problem && `${problem.title} ${problem.detail}`}>
        {(control) => (
          <Input
            {...control}
            type="password"
            autoComplete="off"
            spellCheck={false}
            required
            placeholder="sk-…"
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        )}
      </Field>
      <Field label={t("login.name")} hint={t("login.nameHint")}>
        {(control) => (
          <Input
            {...control}
            value={name}
            maxLength={40}
            placeholder={t("login.defaultName")}
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <div className="flex items-center gap-2.5 text-sm">
        <Checkbox checked={remembered} onChange={setRemembered} label={t("login.remember")} />
        <span aria-hidden>{t("login.remember")}</span>
      </div>
      <Button type="submit" look="primary" size="large" disabled={!key.trim() || attempt.isPending}>
        <KeyRound />
        {attempt.isPending ? t("login.trying") : t("login.enter")}
      </Button>
    </form>
  );
};

export const LoginPage = () => {
  const { t } = useTranslation();
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="w-full max-w-md">
        <div className="mb-8 flex items-center gap-3">
          <img src="/favicon.svg" alt="" className="size-11" />
          <div>
            <h1 className="text-xl font-semibold tracking-tight">Revalida Video</h1>
            <p className="text-sm text-quiet">{t("login.tagline")}</p>
          </div>
        </div>
        <div className="rounded-2xl border bg-surface p-6">
          <Login />
        </div>
        <div className="mt-4 flex justify-end gap-1">
          <LanguageMenu />
          <ThemeMenu />
        </div>
      </div>
    </main>
  );
};
