import { Check } from "lucide-react";
import { Checkbox as RadixCheckbox, Slider as RadixSlider, ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

type SliderProps = {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  text: string;
  onChange: (value: number) => void;
};

export const Slider = ({ label, value, min, max, step, text, onChange }: SliderProps) => (
  <RadixSlider.Root
    className="relative flex h-6 w-full touch-none items-center"
    value={[value]}
    min={min}
    max={max}
    step={step}
    onValueChange={([next]) => next !== undefined && onChange(next)}
  >
    <RadixSlider.Track className="relative h-1.5 grow rounded-full bg-raised">
      <RadixSlider.Range className="absolute h-full rounded-full bg-accent" />
    </RadixSlider.Track>
    <RadixSlider.Thumb
      aria-label={label}
      aria-valuetext={text}
      className="block size-5 rounded-full border-2 border-accent bg-surface shadow-sm"
    />
  </RadixSlider.Root>
);

type Choice<T extends string> = { value: T; label: string; icon?: ReactNode };
type SegmentsProps<T extends string> = {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  onChange: (value: T) => void;
  className?: string;
};

/** One of a few, side by side. */
export const Segments = <T extends string>({ label, value, choices, onChange, className }: SegmentsProps<T>) => (
  <ToggleGroup.Root
    type="single"
    aria-label={label}
    value={value}
    onValueChange={(next) => next && onChange(next as T)}
    className={cn("inline-flex flex-wrap gap-1 rounded-xl bg-raised p-1", className)}
  >
    {choices.map((choice) => (
      <ToggleGroup.Item
        key={choice.value}
        value={choice.value}
        className="inline-flex h-9 items-center gap-2 rounded-lg px-3 text-sm font-medium text-quiet transition-colors hover:text-ink data-[state=on]:bg-surface data-[state=on]:text-ink data-[state=on]:shadow-sm [&_svg]:size-4"
      >
        {choice.icon}
        {choice.label}
      </ToggleGroup.Item>
    ))}
  </ToggleGroup.Root>
);

type CheckboxProps = {
  checked: boolean | "indeterminate";
  onChange: (checked: boolean) => void;
  label: string;
  className?: string;
  id?: string;
};

export const Checkbox = ({ checked, onChange, label, className, id }: CheckboxProps) => (
  <RadixCheckbox.Root
    id={id}
    aria-label={label}
    checked={checked}
    onCheckedChange={(next) => onChange(next === true)}
    className={cn(
      "grid size-5 shrink-0 place-items-center rounded-md border border-control bg-surface data-[state=checked]:border-accent data-[state=checked]:bg-accent data-[state=checked]:text-on-accent",
      className,
    )}
  >
    <RadixCheckbox.Indicator>
      <Check className="size-3.5" strokeWidth={3} />
    </RadixCheckbox.Indicator>
  </RadixCheckbox.Root>
);
