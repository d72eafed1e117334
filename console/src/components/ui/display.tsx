import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";

const badge = cva("inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap", {
  variants: {
    tone: {
      neutral: "bg-raised text-ink",
      accent: "bg-accent-soft text-accent",
      good: "bg-good-soft text-good",
      warn: "bg-warn-soft text-warn",
      bad: "bg-bad-soft text-bad",
      info: "bg-info-soft text-info",
    },
  },
  defaultVariants: { tone: "neutral" },
});
export type Tone = NonNullable<VariantProps<typeof badge>["tone"]>;

export const Badge = ({ tone, className, ...rest }: ComponentProps<"span"> & { tone?: Tone }) => (
  <span className={cn(badge({ tone }), className)} {...rest} />
);

export const Card = ({ className, ...rest }: ComponentProps<"section">) => (
  <section className={cn("rounded-2xl border bg-surface p-5", className)} {...rest} />
);

export const CardTitle = ({ className, children, ...rest }: ComponentProps<"h2">) => (
  <h2 className={cn("text-sm font-semibold tracking-tight", className)} {...rest}>
    {children}
  </h2>
);

type PageProps = { title: string; hint?: string; aside?: ReactNode; children: ReactNode; className?: string };

export const Page = ({ title, hint, aside, children, className }: PageProps) => (
  <div className={cn("mx-auto w-full max-w-[1400px] px-4 py-6 sm:px-8 sm:py-8", className)}>
    <header className="mb-6 flex flex-wrap items-end justify-between gap-4">
      <div>
        <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
        {hint && <p className="mt-1 max-w-2xl text-sm text-quiet">{hint}</p>}
      </div>
      {aside}
    </header>
    {children}
  </div>
);

export const Skeleton = ({ className }: { className?: string }) => (
  <div aria-hidden className={cn("waiting rounded-lg", className)} />
);

type NoticeProps = { tone?: Tone; title: string; children?: ReactNode; action?: ReactNode };
const noticeTone: Record<Tone, string> = {
  neutral: "border-line bg-raised",
  accent: "border-accent/30 bg-accent-soft",
  good: "border-good/30 bg-good-soft",
  warn: "border-warn/30 bg-warn-soft",
  bad: "border-bad/30 bg-bad-soft",
  info: "border-info/30 bg-info-soft",
};

/** What happened, why, and what to do. */
export const Notice = ({ tone = "info", title, children, action }: NoticeProps) => (
  <div
    role={tone === "bad" ? "alert" : "status"}
    className={cn("flex flex-wrap items-center justify-between gap-3 rounded-xl border p-4 text-sm", noticeTone[tone])}
  >
    <div className="min-w-0">
      <p className="font-medium">{title}</p>
      {children && <div className="mt-0.5 break-words text-ink/85">{children}</div>}
    </div>
    {action}
  </div>
);

type EmptyProps = { icon: ReactNode; title: string; hint: string; action?: ReactNode };

export const Empty = ({ icon, title, hint, action }: EmptyProps) => (
  <div className="grid place-items-center gap-3 rounded-2xl border border-dashed px-6 py-16 text-center">
    <div className="grid size-12 place-items-center rounded-2xl bg-accent-soft text-accent [&_svg]:size-6">{icon}</div>
    <div>
      <p className="font-medium">{title}</p>
      <p className="mt-1 max-w-md text-sm text-quiet">{hint}</p>
    </div>
    {action}
  </div>
);

type BarProps = { value: number; label: string; tone?: "accent" | "good" | "warn" | "bad"; className?: string };
const barTone = { accent: "bg-accent", good: "bg-good", warn: "bg-warn", bad: "bg-bad" };

/** A share of one, 0 to 1. */
export const Bar = ({ value, label, tone = "accent", className }: BarProps) => (
  <div
    role="progressbar"
    aria-label={label}
    aria-valuemin={0}
    aria-valuemax={100}
    aria-valuenow={Math.round(100 * value)}
    className={cn("h-2 overflow-hidden rounded-full bg-raised", className)}
  >
    <div
      className={cn("h-full rounded-full transition-[width] duration-700", barTone[tone])}
      style={{ width: `${Math.min(100, 100 * value)}%` }}
    />
  </div>
);
