import type { ReactNode } from "react";
import { type Accept, useDropzone } from "react-dropzone";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";

type Props = {
  accept: Accept;
  multiple?: boolean;
  icon: ReactNode;
  title: string;
  hint: string;
  className?: string;
  onFiles: (files: File[]) => void;
  onRefused?: () => void;
};

/** Where files are dropped; the button in it is for those who do not drag. */
export const DropArea = ({ accept, multiple = false, icon, title, hint, className, onFiles, onRefused }: Props) => {
  const { t } = useTranslation();
  const { getRootProps, getInputProps, isDragActive, open } = useDropzone({
    accept,
    multiple,
    noClick: true,
    noKeyboard: true,
    onDropAccepted: onFiles,
    ...(onRefused ? { onDropRejected: onRefused } : {}),
  });
  return (
    <div
      {...getRootProps()}
      className={cn(
        "grid place-items-center gap-3 rounded-2xl border border-dashed border-control bg-surface px-6 py-10 text-center transition-colors [&>svg]:size-8 [&>svg]:text-accent",
        isDragActive && "border-accent bg-accent-soft",
        className,
      )}
    >
      <input {...getInputProps({ "aria-label": title })} />
      {icon}
      <div>
        <p className="font-medium">{title}</p>
        <p className="mt-1 max-w-lg text-sm text-quiet">{hint}</p>
      </div>
      <Button size="small" onClick={open}>
        {t("common.choose")}
      </Button>
    </div>
  );
};
