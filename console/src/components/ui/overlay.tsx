import { X } from "lucide-react";
import { AlertDialog, Dialog } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/ui/button";

const backdrop = "fixed inset-0 z-40 bg-shade backdrop-blur-[2px]";
const panel =
  "fixed top-1/2 left-1/2 z-50 max-h-[90dvh] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-2xl border bg-surface p-6 shadow-2xl outline-none";

type ModalProps = { open: boolean; onOpen: (open: boolean) => void; title: string; hint?: string; children: ReactNode };

export const Modal = ({ open, onOpen, title, hint, children }: ModalProps) => {
  const { t } = useTranslation();
  return (
    <Dialog.Root open={open} onOpenChange={onOpen}>
      <Dialog.Portal>
        <Dialog.Overlay className={backdrop} />
        <Dialog.Content className={`${panel} max-w-xl`} {...(hint ? {} : { "aria-describedby": undefined })}>
          <div className="mb-4 flex items-start justify-between gap-4">
            <div>
              <Dialog.Title className="text-lg font-semibold">{title}</Dialog.Title>
              {hint && <Dialog.Description className="mt-1 text-sm text-quiet">{hint}</Dialog.Description>}
            </div>
            <Dialog.Close asChild>
              <Button look="ghost" size="icon" aria-label={t("common.close")}>
                <X />
              </Button>
            </Dialog.Close>
          </div>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
};

type ConfirmProps = { trigger: ReactNode; title: string; hint: string; action: string; onConfirm: () => void };

/** Ask before what cannot be undone. */
export const Confirm = ({ trigger, title, hint, action, onConfirm }: ConfirmProps) => {
  const { t } = useTranslation();
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger asChild>{trigger}</AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={backdrop} />
        <AlertDialog.Content className={`${panel} max-w-md`}>
          <AlertDialog.Title className="text-lg font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-sm text-quiet">{hint}</AlertDialog.Description>
          <div className="mt-6 flex justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t("common.cancel")}</Button>
            </AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <Button look="danger" onClick={onConfirm}>
                {action}
              </Button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
};
