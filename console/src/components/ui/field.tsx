import { type ComponentProps, type ReactNode, useId } from "react";
import { cn } from "@/lib/cn";

type Control = { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined };
type FieldProps = {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null;
  aside?: ReactNode;
  className?: string;
  children: (control: Control) => ReactNode;
};

/** A labelled control; its hint and error are read out with it. */
export const Field = ({ label, hint, error, aside, className, children }: FieldProps) => {
  const id = useId();
  const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return (
    <div className={cn("grid content-start gap-1.5", className)}>
      <div className="flex items-baseline justify-between gap-3">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {aside && <span className="numbers text-xs text-quiet">{aside}</span>}
      </div>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-quiet">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} role="alert" className="text-sm text-bad">
          {error}
        </p>
      )}
    </div>
  );
};

const control =
  "w-full rounded-lg border border-control/60 bg-surface px-3 text-ink placeholder:text-quiet/80 hover:border-control aria-invalid:border-bad disabled:opacity-60";

export const Input = ({ className, ...rest }: ComponentProps<"input">) => (
  <input className={cn(control, "h-10", className)} {...rest} />
);

export const Textarea = ({ className, ...rest }: ComponentProps<"textarea">) => (
  <textarea className={cn(control, "min-h-24 resize-y py-2.5 leading-relaxed", className)} {...rest} />
);

/** The browser's own select: it works with every keyboard, reader and phone. */
export const Select = ({ className, ...rest }: ComponentProps<"select">) => (
  <select className={cn(control, "h-10 pr-8", className)} {...rest} />
);
