import { useTranslation } from "react-i18next";
import type { Model } from "@/api/client";
import { Field, Textarea } from "@/components/ui/field";
import { number } from "@/lib/format";
import { aboutTokens } from "@/pages/create/draft";

type Props = {
  value: string;
  model: Model | undefined;
  error: string | undefined;
  onChange: (prompt: string) => void;
  label?: string;
  hint?: string;
  rows?: number;
};

/** The prompt, with about how many tokens it is. The text encoder alone knows exactly; the API checks characters. */
export const PromptField = ({ value, model, error, onChange, label, hint, rows = 5 }: Props) => {
  const { t } = useTranslation();
  const tokens = aboutTokens(value);
  const limit = model?.max_prompt_tokens;
  const over = limit !== undefined && tokens > limit;
  return (
    <Field
      label={label ?? t("create.prompt")}
      hint={hint}
      error={error ?? (over ? t("create.tooManyTokens", { limit: number(limit) }) : null)}
      aside={
        limit === undefined
          ? ""
          : t("create.tokens", { tokens: number(tokens), limit: number(limit), chars: number(value.length) })
      }
    >
      {(control) => (
        <Textarea
          {...control}
          autoFocus
          rows={rows}
          className="rounded-2xl px-4 py-3.5 text-base"
          value={value}
          placeholder={t("create.promptHint")}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
};
