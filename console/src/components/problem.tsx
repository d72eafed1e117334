import { useTranslation } from "react-i18next";
import { asApiError } from "@/api/errors";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/display";
import { explain } from "@/lib/explain";

/** A call that failed, for a person, with a way on. */
export const Problem = ({ error, onRetry }: { error: unknown; onRetry?: () => void }) => {
  const { t } = useTranslation();
  const shown = explain(asApiError(error), t);
  return (
    <Notice
      tone="bad"
      title={shown.title}
      action={
        onRetry && (
          <Button size="small" onClick={onRetry}>
            {t("common.retry")}
          </Button>
        )
      }
    >
      {shown.detail}
    </Notice>
  );
};
