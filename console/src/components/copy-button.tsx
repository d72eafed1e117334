import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { toast } from "sonner";
import { Button } from "@/components/ui/button";

export const CopyButton = ({ text, label }: { text: string; label?: string }) => {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text); // refused where the permission is, absent where the page came by plain HTTP
    } catch {
      toast.error(t("common.notCopied"));
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <Button look="ghost" size={label ? "small" : "icon"} onClick={copy} aria-label={label ?? t("common.copy")}>
      {copied ? <Check className="text-good" /> : <Copy />}
      {label && (copied ? t("common.copied") : label)}
    </Button>
  );
};
