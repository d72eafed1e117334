"""What a fleet would cost and how long videos would take: the planner, the choice of work and the estimate that
production runs, over drawn arrivals and a drawn Spot market. ``revalida simulate`` is its front."""
