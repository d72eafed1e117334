import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/copy-button";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/display";

/** A key or a secret, in the only moment in which anybody can read it. */
export const SecretOnce = ({ secret, onDone }: { secret: string; onDone: () => void }) => {
  const { t } = useTranslation();
  return (
    <div className="grid gap-4">
      <Notice tone="warn" title={t("secret.once")}>
        {t("secret.hint")}
      </Notice>
      <div className="flex items-center gap-2 rounded-xl bg-raised p-3">
        <code data-testid="secret" className="min-w-0 flex-1 font-mono text-sm break-all">
          {secret}
        </code>
        <CopyButton text={secret} />
      </div>
      <Button look="primary" onClick={onDone}>
        {t("secret.kept")}
      </Button>
    </div>
  );
};
