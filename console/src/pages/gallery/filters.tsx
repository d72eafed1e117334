import { useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { State } from "@/api/client";
import { switchTo, useSession } from "@/api/session";
import { useModels } from "@/api/queries";
import { Input, Select } from "@/components/ui/field";
import { useDebounced } from "@/lib/use-debounced";
import type { Filters as Wanted } from "@/router";

const STATES: readonly State[] = ["queued", "in_progress", "completed", "failed", "cancelled"];

export const Filters = ({ filters }: { filters: Wanted }) => {
  const { t } = useTranslation();
  const navigate = useNavigate({ from: "/videos" });
  const models = useModels().data?.data ?? [];
  const { accounts, active } = useSession();
  const [text, setText] = useState(filters.text ?? "");
  const settled = useDebounced(text, 300);

  useEffect(() => {
    void navigate({ search: (old) => changed(old, "text", settled.trim()), replace: true });
  }, [settled, navigate]);

  const pick = (name: "status" | "model", value: string) =>
    navigate({ search: (old) => changed(old, name, value), replace: true });
  return (
    <search className="mb-5 flex flex-wrap gap-2">
      <div className="relative min-w-52 flex-1">
        <Search aria-hidden className="pointer-events-none absolute top-3 left-3 size-4 text-quiet" />
        <Input
          type="search"
          aria-label={t("gallery.search")}
          placeholder={t("gallery.search")}
          className="pl-9"
          value={text}
          maxLength={200}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <Select
        aria-label={t("gallery.state")}
        className="w-auto"
        value={filters.status ?? ""}
        onChange={(event) => pick("status", event.target.value)}
      >
        <option value="">{t("gallery.allStates")}</option>
        {STATES.map((state) => (
          <option key={state} value={state}>
            {t(`states.${state}`)}
          </option>
        ))}
      </Select>
      <Select
        aria-label={t("gallery.model")}
        className="w-auto max-w-52"
        value={filters.model ?? ""}
        onChange={(event) => pick("model", event.target.value)}
      >
        <option value="">{t("gallery.allModels")}</option>
        {models.map((model) => (
          <option key={model.id} value={model.id}>
            {model.title}
          </option>
        ))}
      </Select>
      {accounts.length > 1 && (
        <Select
          aria-label={t("account.label")}
          className="w-auto max-w-44"
          value={active ?? ""}
          onChange={(event) => switchTo(event.target.value)}
        >
          {accounts.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
      )}
    </search>
  );
};

/** The filters with one of them set, or left out where it is empty. */
const changed = (old: Wanted, name: keyof Wanted, value: string): Wanted => {
  const { [name]: _gone, ...rest } = old;
  return value ? { ...rest, [name]: value } : rest;
};
