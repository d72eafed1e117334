import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, body, type Schemas } from "@/api/client";
import { asApiError } from "@/api/errors";
import { Problem } from "@/components/problem";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { Checkbox } from "@/components/ui/inputs";

type Scope = Schemas["Scope"];
const SCOPES: readonly Scope[] = ["read", "submit", "admin"];
const LIMITS = ["monthly_budget_usd", "requests_per_minute", "max_concurrent_jobs", "max_daily_jobs"] as const;

/** A new key: what it may do, and how much of it. */
export const KeyForm = ({ onDone }: { onDone: () => void }) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly Scope[]>(["read", "submit"]);
  const [limits, setLimits] = useState<Record<string, string>>({});
  const making = useMutation({
    meta: { shown: true },
    mutationFn: async () =>
      body(
        await api.POST("/v1/keys", {
          body: {
            name: name.trim(),
            scopes: [...scopes],
            limits: Object.fromEntries(LIMITS.filter((each) => limits[each]).map((each) => [each, Number(limits[each])])),
          },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["get", "/v1/keys"] }),
  });
  if (making.data?.key) return <SecretOnce secret={making.data.key} onDone={onDone} />;
  const error = making.error && asApiError(making.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <form onSubmit={submit} className="grid gap-5">
      <Field label={t("keys.name")} hint={t("keys.nameHint")} error={error?.param === "name" ? error.message : null}>
        {(control) => (
          <Input {...control} required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <fieldset className="grid gap-2.5">
        <legend className="mb-2 text-sm font-medium">{t("keys.may")}</legend>
        {SCOPES.map((scope) => (
          <div key={scope} className="flex items-start gap-2.5 text-sm">
            <Checkbox
              label={t(`keys.scopes.${scope}`)}
              checked={scopes.includes(scope)}
              onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
            />
            <span aria-hidden>
              {t(`keys.scopes.${scope}`)} <span className="text-quiet">{t(`keys.scopeHints.${scope}`)}</span>
            </span>
          </div>
        ))}
      </fieldset>
      <div className="grid gap-4 sm:grid-cols-2">
        {LIMITS.map((limit) => (
          <Field key={limit} label={t(`keys.limitNames.${limit}`)} error={error?.param === `limits.${limit}` ? error.message : null}>
            {(control) => (
              <Input
                {...control}
                type="number"
                min={limit === "monthly_budget_usd" ? 0 : 1}
                step={limit === "monthly_budget_usd" ? "any" : 1}
                placeholder={t("keys.noLimit")}
                value={limits[limit] ?? ""}
                onChange={(event) => setLimits({ ...limits, [limit]: event.target.value })}
              />
            )}
          </Field>
        ))}
      </div>
      {error && <Problem error={error} />}
      <Button type="submit" look="primary" disabled={!name.trim() || scopes.length === 0 || making.isPending}>
        {t("keys.make")}
      </Button>
    </form>
  );
};
